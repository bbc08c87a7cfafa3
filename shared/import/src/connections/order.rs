//! Orders groups after their parents, so that a database with foreign keys between its rows accepts them one
//! by one.

use std::collections::HashMap;

use super::{Group, Id, wrong};
use crate::error::Result;

/// Orders groups whose parents all exist. Groups of the same depth keep their order in the file.
///
/// # Errors
/// [`crate::Error::Connections`] for groups that contain each other.
pub(super) fn parents_first(groups: Vec<Group>) -> Result<Vec<Group>> {
    let places: HashMap<&Id, usize> = groups.iter().enumerate().map(|(at, group)| (&group.id, at)).collect();
    let parent = |at: usize| groups[at].parent_id.as_ref().and_then(|id| places.get(id).copied());
    let mut depths: Vec<Option<usize>> = vec![None; groups.len()];
    for at in 0..groups.len() {
        // From the group upwards to one whose depth is known, or to the root.
        let (mut path, mut above) = (Vec::new(), Some(at));
        while let Some(place) = above.filter(|place| depths[*place].is_none()) {
            if path.len() > groups.len() {
                let id = &groups[at].id;
                return Err(wrong(format!(
                    "is refused: the group {id} is inside itself, or in a group that is"
                )));
            }
            path.push(place);
            above = parent(place);
        }
        let known = above.and_then(|place| depths[place]).map_or(0, |depth| depth + 1);
        for (more, place) in path.into_iter().rev().enumerate() {
            depths[place] = Some(known + more);
        }
    }
    let mut ordered: Vec<(Option<usize>, Group)> = depths.into_iter().zip(groups).collect();
    ordered.sort_by_key(|(depth, _)| *depth);
    Ok(ordered.into_iter().map(|(_, group)| group).collect())
}
