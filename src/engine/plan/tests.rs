//! What a plan counts as work, and what it asks the user for.

use moorline_api::ResourceKind;

use super::*;

/// A plan in which there is nothing to do.
fn settled() -> UpPlan {
    UpPlan {
        profile: "web".to_owned(),
        cluster: ClusterIdentity {
            uid: "cluster".to_owned(),
            context: "test".to_owned(),
            server: String::new(),
            version: "v1.36.3".to_owned(),
        },
        account: None,
        objects: vec![object(ObjectAction::Unchanged)],
        claims: vec![
            claim(ClaimAction::Keep),
            claim(ClaimAction::Await {
                reason: "another's".to_owned(),
            }),
        ],
        mounts: Vec::new(),
        returns: Vec::new(),
        pointless: Vec::new(),
        removals: Vec::new(),
        scale: None,
        releases: Vec::new(),
        volume_creates: 0,
        monthly_usd: 0.0,
        unpriced: 0,
        floor_seconds: 0.0,
        notices: Vec::new(),
        blocked: Vec::new(),
    }
}

fn target() -> ObjectRef {
    ObjectRef::new(ResourceKind::stateful_set(), "default", "db")
}

fn object(action: ObjectAction) -> ObjectPlan {
    ObjectPlan {
        target: target(),
        action,
        object: Object::default(),
        force: false,
        live: None,
    }
}

fn update(destroys: Option<&str>) -> ObjectAction {
    ObjectAction::Update {
        changes: Vec::new(),
        destroys: destroys.map(str::to_owned),
    }
}

fn replace() -> ObjectAction {
    ObjectAction::Replace {
        reason: "serviceName cannot change".to_owned(),
        keeps_dependents: true,
        uid: "uid-db".to_owned(),
    }
}

fn claim(action: ClaimAction) -> ClaimPlan {
    ClaimPlan {
        namespace: "default".to_owned(),
        name: "data-db-0".to_owned(),
        set: Some("db".to_owned()),
        action,
        persistent_volume: "pv".to_owned(),
        class: "fast".to_owned(),
        volume: None,
        monthly_usd: None,
        object: None,
        storage: None,
    }
}

fn resumed(volume: Option<&str>, persistent_volume: bool) -> ClaimAction {
    ClaimAction::Resume {
        uid: "uid".to_owned(),
        volume: volume.map(|id| VolumeId(id.to_owned())),
        persistent_volume,
    }
}

fn removal() -> Removal {
    Removal {
        target: target(),
        uid: "uid-db".to_owned(),
    }
}

fn release(claim: Option<Removal>, fate: VolumeFate) -> ClaimRemoval {
    ClaimRemoval {
        claim,
        claim_name: "default/data-db-1".to_owned(),
        persistent_volume: None,
        reclaim_policy: None,
        volume: None,
        fate,
        why: "reclaim policy Delete".to_owned(),
    }
}

fn step(from: u32, to: u32) -> ScaleStep {
    ScaleStep {
        target: target(),
        from,
        to,
    }
}

fn with(change: impl FnOnce(&mut UpPlan)) -> UpPlan {
    let mut plan = settled();
    change(&mut plan);
    plan
}

#[test]
fn everything_that_a_run_would_do_is_counted() {
    assert_eq!(settled().changes(), 0);
    assert_eq!(with(|plan| plan.scale = Some(step(2, 2))).changes(), 0);
    let mount = MountPlan {
        secret: SecretRef {
            namespace: "default".to_owned(),
            name: "share".to_owned(),
        },
        volume: VolumeId("share".to_owned()),
    };
    let ret = ReturnPlan {
        persistent_volume: removal(),
        claim_name: "default/data-db-0".to_owned(),
        reclaim_policy: ReclaimPolicy::Delete,
    };
    let each: [&dyn Fn(&mut UpPlan); 11] = [
        &|plan| plan.objects.push(object(ObjectAction::Create)),
        &|plan| plan.objects.push(object(update(None))),
        &|plan| plan.objects.push(object(replace())),
        &|plan| plan.claims.push(claim(ClaimAction::Create)),
        &|plan| plan.claims.push(claim(resumed(None, false))),
        &|plan| plan.mounts.push(mount.clone()),
        &|plan| plan.returns.push(ret.clone()),
        &|plan| plan.pointless.push(removal()),
        &|plan| plan.removals.push(removal()),
        &|plan| plan.releases.push(release(Some(removal()), VolumeFate::Keep)),
        &|plan| plan.scale = Some(step(2, 3)),
    ];
    for change in each {
        assert_eq!(with(change).changes(), 1);
    }
    assert_eq!(with(|plan| each.iter().for_each(|change| change(plan))).changes(), 11);
}

#[test]
fn the_user_is_asked_for_all_that_is_deleted_or_replaced() {
    let asked = |change: &dyn Fn(&mut UpPlan)| with(change).destroys();
    let harmless = [ObjectAction::Create, update(None), ObjectAction::Unchanged];
    assert_eq!(
        asked(&|plan| plan.objects = harmless.clone().map(object).into()),
        [""; 0]
    );
    assert_eq!(
        asked(&|plan| plan.objects.push(object(replace()))),
        ["replace statefulsets.apps default/db: serviceName cannot change"]
    );
    assert_eq!(
        asked(&|plan| plan.objects.push(object(update(Some("fewer replicas"))))),
        ["change statefulsets.apps default/db: fewer replicas"]
    );
    assert_eq!(
        asked(&|plan| plan.removals.push(removal())),
        ["delete statefulsets.apps default/db: no longer in the profile"]
    );
    for fate in [VolumeFate::Delete, VolumeFate::SnapshotThenDelete, VolumeFate::Keep] {
        assert_eq!(
            asked(&|plan| plan.releases.push(release(Some(removal()), fate))),
            ["delete claim default/data-db-1: whenScaled: Delete; its volume: reclaim policy Delete"]
        );
    }
    assert_eq!(
        asked(&|plan| plan.releases.push(release(None, VolumeFate::Delete))),
        ["finish deleting claim default/data-db-1: whenScaled: Delete; its volume: reclaim policy Delete"]
    );
    // That was asked by the `down` that began it.
    assert_eq!(
        asked(&|plan| plan.releases.push(release(None, VolumeFate::SnapshotThenDelete))),
        [""; 0]
    );
}

#[test]
fn a_volume_is_made_only_where_none_was_found() {
    let makes = |action| claim(action).makes_volume();
    assert!(makes(ClaimAction::Create) && makes(resumed(None, false)));
    assert!(!makes(resumed(Some("vol-1"), false)) && !makes(resumed(None, true)) && !makes(ClaimAction::Keep));
}

#[test]
fn a_plan_of_down_is_empty_only_without_anything_to_delete_or_to_wait_for() {
    let nothing = DownPlan {
        profile: "web".to_owned(),
        cluster: settled().cluster,
        account: None,
        objects: Vec::new(),
        claims: Vec::new(),
        secrets: Vec::new(),
        load_balancers: Vec::new(),
        keeps: Vec::new(),
        notices: Vec::new(),
        incomplete: false,
    };
    assert!(nothing.is_empty());
    let balancer = BalancerRemoval {
        name: "elb".to_owned(),
        service: target(),
    };
    let each: [&dyn Fn(&mut DownPlan); 4] = [
        &|plan| plan.objects.push(removal()),
        &|plan| plan.claims.push(release(None, VolumeFate::Delete)),
        &|plan| plan.secrets.push(removal()),
        &|plan| plan.load_balancers.push(balancer.clone()),
    ];
    for change in each {
        let mut plan = nothing.clone();
        change(&mut plan);
        assert!(!plan.is_empty(), "{plan:?}");
    }
}
