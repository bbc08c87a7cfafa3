//! Estimates the size of an archive from the space that its sources take, to choose the part size of its upload.

use futures_util::future::join_all;

use super::plan::Plan;
use crate::sources::Sources;

/// The space that the sources of an archive take.
pub(crate) struct Estimate {
    /// Each source with its bytes; `None` if it does not know, or could not be asked.
    pub(crate) sources: Vec<(String, Option<u64>)>,
}

impl Estimate {
    /// The sum of the sources that know their size. An archive rarely exceeds it.
    pub(crate) fn bytes(&self) -> u64 {
        self.sources.iter().filter_map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }
}

impl Plan {
    /// Asks the sources of the plan. A source that cannot be asked makes the archive fail later, with a better error.
    pub(crate) async fn estimate(&self, sources: &Sources) -> Estimate {
        let asked = self.reads.iter().map(|(at, choice)| async move {
            let source = &sources.all()[*at];
            (source.name().to_owned(), source.bytes(choice).await.ok().flatten())
        });
        Estimate { sources: join_all(asked).await }
    }
}
