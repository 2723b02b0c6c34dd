keep_root_read_only() { :; }
