-- The form of decoded times, whatever the server's own settings are; and a chain that is on the disk when it is told.
set timezone = 'UTC';
set datestyle = 'ISO';
set synchronous_commit = on;
