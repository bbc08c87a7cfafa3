//! Changes by narrowed tokens: each has the effect that it would have in a vault of its selection alone, and none
//! elsewhere, except that references outside the selection lose a deleted credential too.

use strongroom_api::vault::v1::{
    Credential, DeleteCredentialRequest, ReassignReferencesRequest, ReleaseReferenceRequest,
    UpdateCredentialRequest,
};
use strongroom_fuzz::Random;
use strongroom_testkit::requests::binding;

use super::model::{Reference, Selection, World};
use super::outcome;
use super::reads::Trial;
use super::world::{KINDS, Running};

type Done<T> = Result<T, String>;

/// A random change by one of the tokens, to any of the existing objects.
pub(super) async fn make_one(running: &mut Running, random: &mut Random) {
    let token = random.below(running.tokens.len());
    let (selection, clients) = &mut running.tokens[token];
    let (selection, mut world) = (selection.clone(), running.world.clone());
    let inside = world.inside(&selection);
    let trial = Trial { whole: &running.world, inside: &inside, selection: &selection };
    let ids: Vec<String> = world.credentials.keys().cloned().collect();
    let places: Vec<_> = world.references.keys().cloned().collect();
    if ids.len() < 3 || places.is_empty() {
        return;
    }
    let (id, other, (kind, consumer)) = (random.pick(&ids), random.pick(&ids), random.pick(&places));
    match random.below(5) {
        0 if id != other => {
            let request =
                ReassignReferencesRequest { from_credential_id: id.clone(), to_credential_id: other.clone() };
            let answer = clients.references.reassign_references(request).await;
            trial.tells_nothing(&answer, &[&id, &other]);
            let moved = outcome(answer).map(|answer| answer.into_inner().reassigned);
            assert_eq!(moved, reassign(&mut world, &inside, &id, &other), "{id} to {other} in {selection:?}");
        }
        1 if random.below(4) == 0 => {
            let block_if_referenced = random.below(2) == 0;
            let request =
                DeleteCredentialRequest { id: id.clone(), block_if_referenced, ..Default::default() };
            let answer = clients.credentials.delete_credential(request).await;
            trial.tells_nothing(&answer, &[&id]);
            let released = outcome(answer).map(|answer| answer.into_inner().released_references);
            let expected = delete(&mut world, &inside, &id, block_if_referenced);
            assert_eq!(released, expected, "{id} in {selection:?}");
        }
        2 if random.below(3) == 0 => {
            let request = ReleaseReferenceRequest { kind: kind.clone(), consumer: consumer.clone() };
            let answer = clients.references.release_reference(request).await;
            trial.tells_nothing(&answer, &[&consumer]);
            let place = (kind, consumer);
            let expected = release(&mut world, &inside, &place);
            assert_eq!(outcome(answer).map(drop), expected, "{place:?} in {selection:?}");
        }
        3 => {
            let kind = if random.below(3) == 0 { random.pick(&KINDS).to_owned() } else { kind };
            let answer = clients.references.bind_reference(binding(&kind, &consumer, &id)).await;
            trial.tells_nothing(&answer, &[&id, &consumer]);
            let expected = bind(&mut world, &inside, &selection, (kind, consumer), &id);
            assert_eq!(outcome(answer).map(drop), expected, "{id} in {selection:?}");
        }
        _ => {
            let env = random.pick(&["dev", "production", "staging"]);
            let request = relabelling(&id, env);
            let answer = clients.credentials.update_credential(request).await;
            trial.tells_nothing(&answer, &[&id]);
            let expected = relabel(&mut world, &inside, &selection, &id, env);
            assert_eq!(outcome(answer).map(drop), expected, "{id} to {env} in {selection:?}");
        }
    }
    running.world = world;
}

fn reassign(world: &mut World, inside: &World, from: &str, to: &str) -> Done<i64> {
    let missing = || "CREDENTIAL_NOT_FOUND".to_owned();
    inside.credentials.get(from).ok_or_else(missing)?;
    let provider = inside.credentials.get(to).ok_or_else(missing)?.provider;
    let unfit = |one: &&Reference| !one.needs.is_empty() && one.needs != provider;
    if inside.references.values().filter(unfit).any(|one| inside.leads(one, from)) {
        return Err("PROVIDER_MISMATCH".to_owned());
    }
    let mut moved = 0;
    for place in inside.references.keys() {
        let one = world.references.get_mut(place).unwrap();
        let named = one.names(from);
        moved += i64::try_from(named).unwrap();
        let swap = |id: &mut String| {
            if id == from {
                to.clone_into(id);
            }
        };
        one.credential.iter_mut().for_each(swap);
        one.fallbacks.iter_mut().for_each(swap);
        let own = one.credential.clone();
        let mut seen = false;
        one.fallbacks
            .retain(|id| id != to || (own.as_deref() != Some(to) && !std::mem::replace(&mut seen, true)));
    }
    Ok(moved)
}

fn release(world: &mut World, inside: &World, place: &(String, String)) -> Done<()> {
    inside.references.get(place).ok_or_else(|| "REFERENCE_NOT_FOUND".to_owned())?;
    world.references.remove(place);
    Ok(())
}

fn relabelling(id: &str, env: &str) -> UpdateCredentialRequest {
    let labels = [("env".to_owned(), env.to_owned())].into();
    let credential = Credential { id: id.to_owned(), labels, ..Credential::default() };
    UpdateCredentialRequest { credential: Some(credential), update_mask: None }
}

fn delete(world: &mut World, inside: &World, id: &str, block: bool) -> Done<i64> {
    inside.credentials.get(id).ok_or_else(|| "CREDENTIAL_NOT_FOUND".to_owned())?;
    if block && inside.references.values().any(|one| one.names(id) > 0) {
        return Err("CREDENTIAL_REFERENCED".to_owned());
    }
    world.credentials.remove(id);
    for one in world.references.values_mut() {
        one.credential = one.credential.take().filter(|bound| bound != id);
        one.fallbacks.retain(|fallback| fallback != id);
    }
    let released = inside.references.values().filter(|one| one.credential.as_deref() == Some(id)).count();
    Ok(i64::try_from(released).unwrap())
}

/// A name that is taken outside the selection is refused: no other answer is possible.
fn bind(
    world: &mut World,
    inside: &World,
    selection: &Selection,
    place: (String, String),
    id: &str,
) -> Done<()> {
    if !selection.has_kind(&place.0) {
        return Err("OUTSIDE_SELECTION".to_owned());
    }
    inside.credentials.get(id).ok_or_else(|| "CREDENTIAL_NOT_FOUND".to_owned())?;
    let taken = world.references.get(&place).is_some_and(|one| !one.leads_nowhere());
    if taken && !inside.references.contains_key(&place) {
        return Err("OUTSIDE_SELECTION".to_owned());
    }
    let (kind, consumer) = place.clone();
    let credential = Some(id.to_owned());
    let bound = Reference { kind, consumer, credential, via: None, needs: "", fallbacks: Vec::new() };
    world.references.insert(place, bound);
    Ok(())
}

fn relabel(
    world: &mut World,
    inside: &World,
    selection: &Selection,
    id: &str,
    env: &'static str,
) -> Done<()> {
    inside.credentials.get(id).ok_or_else(|| "CREDENTIAL_NOT_FOUND".to_owned())?;
    let one = world.credentials.get_mut(id).unwrap();
    let mut changed = one.clone();
    changed.env = env;
    if !selection.has_credential(&changed) {
        return Err("OUTSIDE_SELECTION".to_owned());
    }
    *one = changed;
    Ok(())
}
