//! The workbench: an HTTP and WebSocket API over the product's parts, and the page that it serves.
//!
//! The wire's types are in `routes`, and make the `OpenAPI` document; the parts behind them know nothing of HTTP. It prints
//! nothing, and opens no connection to PostgreSQL but through `pgstrata_pg`.

mod advisor;
mod assets;
mod body;
mod browser;
mod clock;
mod consoles;
mod decisions;
mod document;
mod ground;
mod guard;
pub mod limits;
mod listen;
pub mod live;
mod observe;
pub mod problem;
mod recordings;
mod records;
pub mod routes;
pub mod runs;
mod scenes;
mod serve;
mod workbench;

pub use assets::has_page;
pub use document::{openapi, openapi_json};
pub use ground::Ground;
pub use guard::{Access, SHORTEST_TOKEN, Token, TokenTooShort};
pub use listen::Bounds;
pub use serve::{serve, serve_within};
pub use workbench::{Setting, Workbench};
