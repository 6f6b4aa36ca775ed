-- The extension whose worker keeps waits, in a database of its own beside those of the specifications.
create extension mvcc_visualizer;
