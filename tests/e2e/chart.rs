//! The Helm chart, rendered by helm and looked at as a cluster would take it.

mod commands;
mod configuration;
mod kubernetes;
mod matrix;
mod pairwise;
mod readme;
mod refusals;
mod rules;
