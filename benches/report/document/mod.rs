//! What was measured, as data and as documents. Nothing here measures: a report is read, compared and drawn alike whether it was made a
//! moment ago or comes from a file.
//!
//! ```text
//! schema    report.json            sections  figures and what they say, from a report
//! peers     JSON of the rivals     plot      SVG
//! compare   two reports            page, markdown, terminal: sections as documents
//! ```

pub(crate) mod accuracy;
pub(crate) mod compare;
pub(crate) mod markdown;
pub(crate) mod names;
pub(crate) mod page;
pub(crate) mod peers;
pub(crate) mod plot;
pub(crate) mod schema;
pub(crate) mod sections;
pub(crate) mod terminal;
