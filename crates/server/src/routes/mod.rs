//! The routes under `/api`: one module a subject, with the types that go over the wire. What they do is done elsewhere.

pub mod advisor;
pub mod consoles;
pub mod live;
pub mod memory;
pub mod recordings;
pub mod records;
pub mod runs;
pub mod scenes;
pub mod status;
pub mod studies;
pub mod tables;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::workbench::Workbench;

/// Every route of the API with its description.
pub fn router() -> OpenApiRouter<Workbench> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(memory::memory))
        .routes(routes!(tables::tables))
        .routes(routes!(live::live))
        .routes(routes!(scenes::list_scenes))
        .routes(routes!(scenes::scene))
        .routes(routes!(scenes::open_scene))
        .routes(routes!(scenes::play_step))
        .routes(routes!(scenes::scene_scenario))
        .routes(routes!(scenes::close_scene))
        .routes(routes!(advisor::advisor_examples))
        .routes(routes!(advisor::advisor_form))
        .routes(routes!(advisor::advisor_analyse))
        .routes(routes!(advisor::advisor_decide))
        .routes(routes!(advisor::advisor_code))
        .routes(routes!(advisor::advisor_log))
        .routes(routes!(advisor::decisions::advisor_record))
        .routes(routes!(advisor::prove::advisor_prove))
        .routes(routes!(advisor::decisions::list_decisions, advisor::decisions::save_decision))
        .routes(routes!(advisor::decisions::decision))
        .routes(routes!(advisor::decisions::note_decision))
        .routes(routes!(advisor::decisions::export_decision))
        .routes(routes!(consoles::list_consoles, consoles::open_console))
        .routes(routes!(consoles::console_scenario))
        .routes(routes!(consoles::close_console))
        .routes(routes!(consoles::run_statement))
        .routes(routes!(consoles::statement))
        .routes(routes!(consoles::cancel_statement))
        .routes(routes!(recordings::list_recordings, recordings::start_recording))
        .routes(routes!(recordings::import_recording))
        .routes(routes!(recordings::recording, recordings::remove_recording))
        .routes(routes!(recordings::stop_recording))
        .routes(routes!(recordings::recording_changes))
        .routes(routes!(recordings::recording_moment))
        .routes(routes!(recordings::recording_difference))
        .routes(routes!(recordings::recording_seen))
        .routes(routes!(recordings::export_recording))
        .routes(routes!(recordings::recording_file))
        .routes(routes!(studies::studies))
        .routes(routes!(runs::list_runs, runs::start_run))
        .routes(routes!(runs::run, runs::cancel_run))
        .routes(routes!(records::list_records))
        .routes(routes!(records::compare_records))
        .routes(routes!(records::record))
        .routes(routes!(records::record_file))
        .routes(routes!(records::record_chart))
        .routes(routes!(records::record_report))
}
