//! THE ADMIN PORT: health, metrics, status and the query API, on one listener beside the telemetry; probes on one of their own where a kubelet asks.
//! It only reads, but for what is asked with POST. Start at `routes.rs`; who may ask is in `guard.rs`.

mod admin;
mod alerts;
mod answer;
mod ask;
mod dead_letters;
mod figures;
mod follow;
mod guard;
mod parameters;
pub mod reload;
mod routes;
mod seen;
pub mod settings;
pub mod status;
#[cfg(test)]
mod tests;
mod view;

pub use admin::Admin;
pub use alerts::Alerts;
pub use figures::METRICS;
pub use reload::{Reloaded, Reloads, Wishes};
pub use settings::Settings;
pub use status::{AlertLine, Report, StoreReport, TableReport};
pub use view::View;
