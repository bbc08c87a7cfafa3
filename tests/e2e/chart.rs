//! The Helm chart, rendered by helm and checked as a cluster would read it.

mod commands;
mod configuration;
mod kubernetes;
mod matrix;
mod pairwise;
mod readme;
mod refusals;
mod rules;
