use std::collections::BTreeSet;

use futures::StreamExt;
use moorline_api::{ErrorKind, Resource, TagChange, Tagging, VolumeId};

use crate::server::{Answer, Params, Server, ec2, refusal};

fn volumes(count: usize) -> Vec<Resource> {
    (0..count)
        .map(|n| Resource::Volume(VolumeId(format!("vol-{n:017x}"))))
        .collect()
}

fn mark() -> TagChange {
    TagChange {
        key: "mark".to_owned(),
        value: Some("m".to_owned()),
    }
}

fn ids(params: &Params) -> Vec<&String> {
    let resources = params.iter().filter(|(name, _)| name.starts_with("ResourceId."));
    resources.map(|(_, id)| id).collect()
}

fn done() -> Answer {
    ec2("CreateTags", "<return>true</return>")
}

#[tokio::test]
async fn five_hundred_go_in_one_call() {
    let server = Server::start(|_, _| done()).await;
    let provider = server.provider();
    let told: Vec<_> = provider.tag(volumes(1200), mark()).collect().await;
    assert!(told.iter().all(|tagged| tagged.outcome.is_ok()));
    let mut sizes: Vec<_> = server.calls().iter().map(|call| ids(call).len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [200, 500, 500]);
    let call = &server.calls()[0];
    assert_eq!(
        (call["Tag.1.Key"].as_str(), call["Tag.1.Value"].as_str()),
        ("mark", "m")
    );
}

#[tokio::test]
async fn a_tag_goes_whatever_its_value_is() {
    let server = Server::start(|_, _| ec2("DeleteTags", "<return>true</return>")).await;
    let provider = server.provider();
    let change = TagChange { value: None, ..mark() };
    let told: Vec<_> = provider.tag(volumes(1), change).collect().await;
    assert!(told[0].outcome.is_ok());
    assert_eq!(server.actions(), ["DeleteTags"]);
    assert!(!server.calls()[0].contains_key("Tag.1.Value"));
}

#[tokio::test]
async fn who_is_absent_is_found_whether_it_is_named_or_not() {
    let absent: BTreeSet<String> = [3, 77, 78, 431].iter().map(|n| format!("vol-{n:017x}")).collect();
    for named in [true, false] {
        let gone = absent.clone();
        let server = Server::start(
            move |params, _| match ids(params).into_iter().find(|id| gone.contains(*id)) {
                Some(id) => {
                    let name = if named { id.as_str() } else { "of the request" };
                    refusal(
                        400,
                        "InvalidVolume.NotFound",
                        &format!("The volume '{name}' does not exist."),
                    )
                }
                None => done(),
            },
        )
        .await;
        let provider = server.provider();
        let told: Vec<_> = provider.tag(volumes(500), mark()).collect().await;
        assert!(told.iter().all(|tagged| tagged.outcome.is_ok()), "{told:?}");
        let things: Vec<_> = told.into_iter().flat_map(|tagged| tagged.things).collect();
        assert_eq!((things.len(), things.iter().collect::<BTreeSet<_>>().len()), (500, 500));
        let calls = server.calls();
        let reached: BTreeSet<_> = calls
            .iter()
            .filter(|call| ids(call).iter().all(|id| !absent.contains(*id)))
            .flat_map(ids)
            .collect();
        assert_eq!(reached.len(), 496, "the others have it");
        assert!(calls.len() < 70, "{} calls", calls.len());
    }
}

#[tokio::test]
async fn one_that_is_refused_fails_alone() {
    let full = format!("vol-{:017x}", 9);
    let refused = full.clone();
    let server = Server::start(move |params, _| {
        if ids(params).contains(&&refused) {
            return refusal(
                400,
                "TagLimitExceeded",
                "The maximum number of Tags for a resource has been reached.",
            );
        }
        done()
    })
    .await;
    let provider = server.provider();
    let told: Vec<_> = provider.tag(volumes(100), mark()).collect().await;
    let failed: Vec<_> = told.iter().filter(|tagged| tagged.outcome.is_err()).collect();
    assert!(
        matches!(&failed[..], [one] if one.things.len() == 1 && one.things[0].id() == full),
        "{failed:?}"
    );
    assert!(matches!(&failed[0].outcome, Err(error) if error.kind == ErrorKind::LimitExceeded));
}

#[tokio::test]
async fn who_may_not_tag_anything_does_not_ask_for_each() {
    let server = Server::start(|_, _| refusal(403, "UnauthorizedOperation", "You are not authorized.")).await;
    let provider = server.provider();
    let told: Vec<_> = provider.tag(volumes(5000), mark()).collect().await;
    let things: BTreeSet<_> = told.iter().flat_map(|tagged| &tagged.things).collect();
    assert_eq!(things.len(), 5000);
    assert!(
        told.iter()
            .all(|tagged| matches!(&tagged.outcome, Err(error) if error.kind == ErrorKind::Forbidden))
    );
    let calls = server.calls().len();
    assert!(calls < 200, "{calls} calls");

    let server = Server::start(|_, _| refusal(400, "RequestExpired", "Request has expired.")).await;
    let provider = server.provider();
    let told: Vec<_> = provider.tag(volumes(1000), mark()).collect().await;
    assert!(told.iter().all(|tagged| tagged.outcome.is_err()));
    // Two batches, each once more after the credentials were read again.
    assert_eq!(server.calls().len(), 4);
}
