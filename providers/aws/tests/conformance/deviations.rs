//! Where an emulator is not what AWS documents. The one table of it: the cases are run by it, and docs/deviations.md is made of it.

use moorline_api::conformance::deviation::Deviation;

use crate::backend::Site;

const EMULATORS: &[Site] = &[Site::Moto, Site::LocalStack];

/// What LocalStack answers to calls of ELB and ELBv2.
const NO_ELB: &str = "not included in your current license plan";

pub(crate) const DEVIATIONS: &[Deviation<Site>] = &[
    Deviation {
        title: "client tokens are ignored",
        sites: EMULATORS,
        cases: &[
            (
                "tokens::the_same_token_gives_the_same_volume",
                "the same token made a second volume",
            ),
            (
                "tokens::a_token_with_other_parameters_is_burnt",
                "the token of other parameters made vol-",
            ),
            (
                "tokens::the_token_of_a_deleted_volume_is_burnt",
                "the token of a deleted volume made vol-",
            ),
            (
                "recovery::the_same_token_brings_one_volume_back",
                "the same token made a second volume",
            ),
        ],
        sometimes: false,
        documented: "the same `ClientToken` and parameters give the same volume, other parameters `IdempotentParameterMismatch` \
                     (EC2 API reference, `CreateVolume`; EC2 developer guide, \"Ensuring idempotency in Amazon EC2 API requests\")",
        instead: "every call makes another volume",
        harmless: "a run looks for the claim's volume by its tags before it creates one, and when the answer to `CreateVolume` is \
                   lost, the volume is looked for by its tags before the call is sent again (`tokens::a_lost_answer_…` and its \
                   neighbours pass everywhere)",
    },
    Deviation {
        title: "volumes come in one page",
        sites: EMULATORS,
        cases: &[(
            "listing::more_than_a_page_is_listed_whole_in_few_calls",
            "a page of 505 volumes",
        )],
        sometimes: false,
        documented: "`MaxResults` is at most 500, and so is a page (EC2 API reference, `DescribeVolumes`)",
        instead: "`MaxResults` is ignored: one page has everything",
        harmless: "a page may have any size, and a listing ends where no token for the next page is given",
    },
    Deviation {
        title: "what does not exist is created",
        sites: EMULATORS,
        cases: &[
            (
                "creation::a_size_that_the_type_does_not_have_is_refused",
                "0 GiB: made vol-",
            ),
            (
                "creation::a_zone_that_the_region_does_not_have_is_refused",
                "a zone of nowhere: made vol-",
            ),
            ("creation::a_type_that_does_not_exist_is_refused", "type gp9: made vol-"),
            (
                "creation::a_performance_that_the_size_does_not_give_is_refused",
                "70,000 IOPS on 1 GiB: made vol-",
            ),
        ],
        sometimes: false,
        documented: "sizes and IOPS have bounds by type, and an unknown zone or type is refused (EC2 API reference, `CreateVolume`; \
                     EBS user guide, \"Amazon EBS volume types\")",
        instead: "any size, zone, type and performance is accepted; a volume in an unknown zone has none",
        harmless: "size, type and performance are checked when the profile is read, and zones come from \
                   `DescribeAvailabilityZones`: such a call is never made",
    },
    Deviation {
        title: "a snapshot may be larger than the volume that is made of it",
        sites: EMULATORS,
        cases: &[(
            "recovery::a_smaller_volume_is_refused",
            "4 GiB of a snapshot of 5: made vol-",
        )],
        sometimes: false,
        documented: "the size must be at least that of the snapshot (EC2 API reference, `CreateVolume`, `Size`)",
        instead: "any size is accepted",
        harmless: "`restore` asks for the size that the snapshot tells, or more",
    },
    Deviation {
        title: "the throughput that gp3 has by default is not told",
        sites: EMULATORS,
        cases: &[(
            "creation::a_volume_says_what_its_type_gives_by_default",
            "(Some(3000), None)",
        )],
        sometimes: false,
        documented: "a gp3 volume has 125 MiB/s where nothing is asked (EBS user guide, \"General Purpose SSD volumes\")",
        instead: "no throughput is told",
        harmless: "what a class leaves to its type is compared with nothing",
    },
    Deviation {
        title: "escaped patterns find nothing",
        sites: EMULATORS,
        cases: &[("listing::the_value_of_a_tag_is_no_pattern", "the volumes named a*c")],
        sometimes: false,
        documented: "in filter values `*` and `?` are patterns, and stand for themselves after a `\\` (EC2 user guide, \"Filter \
                     your Amazon EC2 resources\")",
        instead: "a value with `\\*` finds nothing",
        harmless: "the tags that moorline looks for (cluster, profile, claim) have no such characters, and where it compares all \
                   tags of a volume it asks only for those without any",
    },
    Deviation {
        title: "there is no ELB",
        sites: &[Site::LocalStack],
        cases: &[
            ("load_balancers::a_classic_one_has_its_service", NO_ELB),
            ("load_balancers::a_network_one_has_its_service", NO_ELB),
            ("load_balancers::an_application_one_has_its_service", NO_ELB),
            ("load_balancers::more_than_a_page_is_listed_whole_in_few_calls", NO_ELB),
            ("load_balancers::hostnames_may_differ_in_case", NO_ELB),
            ("load_balancers::a_failed_page_is_read_again", NO_ELB),
            ("load_balancers::a_deleted_classic_one_is_gone", NO_ELB),
            ("load_balancers::a_deleted_network_one_is_gone", NO_ELB),
            ("load_balancers::a_deleted_application_one_is_gone", NO_ELB),
            ("load_balancers::another_one_of_the_same_name_stays", NO_ELB),
            ("load_balancers::a_protected_one_is_in_use", NO_ELB),
            ("load_balancers::a_deletion_whose_answer_is_lost_is_done", NO_ELB),
            ("tagging::load_balancers_of_both_generations_bear_marks", NO_ELB),
        ],
        sometimes: false,
        documented: "both APIs of Elastic Load Balancing exist in every region",
        instead: "HTTP 501 `InternalFailure`: the API is \"not included in your current license plan\"",
        harmless: "an API that is lacking is told once, and everything else goes on \
                   (`load_balancers::a_lacking_api_is_told_once_and_last` passes everywhere)",
    },
    Deviation {
        title: "the scheme that a load balancer has by default is not told",
        sites: &[Site::Moto],
        cases: &[
            ("load_balancers::a_network_one_has_its_service", "the scheme by default"),
            (
                "load_balancers::an_application_one_has_its_service",
                "the scheme by default",
            ),
        ],
        sometimes: false,
        documented: "a load balancer is `internet-facing` where nothing is asked (Elastic Load Balancing API reference 2015-12-01, \
                     `CreateLoadBalancer`, `Scheme`)",
        instead: "no scheme is told",
        harmless: "the scheme is only shown",
    },
    Deviation {
        title: "a load balancer's protection protects nothing",
        sites: &[Site::Moto],
        cases: &[(
            "load_balancers::a_protected_one_is_in_use",
            "it was deleted under its protection",
        )],
        sometimes: false,
        documented: "`DeleteLoadBalancer` is `OperationNotPermitted` under deletion protection (Elastic Load Balancing API reference \
                     2015-12-01)",
        instead: "the attribute is kept, and the load balancer deleted",
        harmless: "what moorline itself keeps is decided before the call: in use, protected by tag or policy, within grace",
    },
    Deviation {
        title: "STS fails on Python before 3.12",
        sites: &[Site::LocalStack],
        cases: &[("accounts::names_itself_and_the_caller", "\"\" is no caller of account")],
        sometimes: true,
        documented: "`GetCallerIdentity` says account and caller (STS API reference)",
        instead: "HTTP 500 `InternalError`: \"invalid syntax (stores.py, line 193)\", for a module of LocalStack 4.14.0 needs Python \
                  3.12, though the package says 3.10; with that Python the case passes",
        harmless: "where STS fails, the account is that of the region's default security group; only the caller's name is unknown",
    },
];
