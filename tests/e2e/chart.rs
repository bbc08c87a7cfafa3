//! The Helm chart, rendered by helm and looked at as a cluster would take it.

mod configuration;
