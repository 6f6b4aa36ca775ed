//! The workbench: an HTTP and WebSocket API over the product's parts, and the page that it serves.
