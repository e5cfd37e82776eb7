"""Where rows come from: folders, patterns, tables, archives."""
