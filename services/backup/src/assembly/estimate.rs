//! How large an archive may become, from the room that its sources take: the parts of an upload are chosen by it.

use futures_util::future::join_all;

use super::plan::Plan;
use crate::sources::Sources;

/// What the sources of an archive take.
pub(crate) struct Estimate {
    /// Each source with its bytes; `None` where it cannot tell, or could not be asked.
    pub(crate) sources: Vec<(String, Option<u64>)>,
}

impl Estimate {
    /// An archive that compresses to nothing less than its sources.
    pub(crate) fn bytes(&self) -> u64 {
        self.sources.iter().filter_map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }
}

impl Plan {
    /// Asks the sources of the plan. One that cannot be asked fails the archive itself, with a better error.
    pub(crate) async fn estimate(&self, sources: &Sources) -> Estimate {
        let asked = self.reads.iter().map(|(at, choice)| async move {
            let source = &sources.all()[*at];
            (source.name().to_owned(), source.bytes(choice).await.ok().flatten())
        });
        Estimate { sources: join_all(asked).await }
    }
}
