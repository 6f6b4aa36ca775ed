-- Whether statements of this session publish their snapshots.
select set_config('mvcc_visualizer.track_snapshots', $1, false);
