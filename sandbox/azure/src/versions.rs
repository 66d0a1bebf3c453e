//! The api-versions that each provider knows.

/// Who answers an operation of Resource Manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
    /// Resource groups.
    Resources,
    /// Subscriptions, tenants and locations.
    Subscriptions,
    Storage,
    Compute,
    Network,
    /// Locks.
    Authorization,
}

impl Provider {
    /// Its namespace.
    pub(crate) fn namespace(self) -> &'static str {
        match self {
            Self::Resources | Self::Subscriptions => "Microsoft.Resources",
            Self::Storage => "Microsoft.Storage",
            Self::Compute => "Microsoft.Compute",
            Self::Network => "Microsoft.Network",
            Self::Authorization => "Microsoft.Authorization",
        }
    }

    /// Its stable api-versions, newest first.
    pub(crate) fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Resources => &[
                "2025-04-01",
                "2025-03-01",
                "2024-11-01",
                "2024-07-01",
                "2024-03-01",
                "2023-07-01",
                "2022-09-01",
                "2021-04-01",
                "2020-06-01",
                "2019-10-01",
            ],
            Self::Subscriptions => &[
                "2022-12-01",
                "2022-09-01",
                "2021-01-01",
                "2020-01-01",
                "2019-06-01",
                "2016-06-01",
            ],
            Self::Storage => &[
                "2026-09-01",
                "2026-06-01",
                "2026-04-01",
                "2025-08-01",
                "2025-06-01",
                "2025-01-01",
                "2024-01-01",
                "2023-05-01",
                "2023-04-01",
                "2023-01-01",
                "2022-09-01",
                "2022-05-01",
                "2021-09-01",
            ],
            Self::Compute => &[
                "2026-03-02",
                "2025-01-02",
                "2024-03-02",
                "2023-10-02",
                "2023-04-02",
                "2023-01-02",
                "2022-07-02",
                "2022-03-02",
            ],
            Self::Network => &["2025-01-01", "2024-10-01", "2024-05-01", "2023-11-01", "2023-09-01"],
            Self::Authorization => &["2020-05-01", "2017-04-01", "2016-09-01"],
        }
    }
}
