"""Where bytes and rows lie: object stores, stored scans, the catalog."""
