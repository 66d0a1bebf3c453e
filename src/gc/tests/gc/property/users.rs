//! What users, drivers and crashes do to the truth.

use super::truth::{CLAIMS, Claim, Made, NAMESPACES, Op, Pv, SETS, TEMPLATES, Tagging, Truth, User, pick};

impl Truth {
    /// Carries out what a user does.
    pub(crate) fn act(&mut self, (what, one, two, three): Op) {
        self.now += 1;
        let cluster = usize::from(one) % self.clusters.len();
        let namespace = pick(&NAMESPACES, one / 8);
        match what % 17 {
            0..=2 => self.create_set(cluster, namespace, two, three),
            3 => self.scale(cluster, two, three),
            4 | 5 => self.delete_set(cluster, two),
            6 => self.delete_claim(cluster, two, three),
            7 => self.delete_pv(cluster, two),
            8 => self.use_claim(cluster, two, three),
            9 => {
                let users = &mut self.clusters[cluster].users;
                if !users.is_empty() {
                    users.remove(usize::from(two) % users.len());
                }
            }
            10 => self.hand_made(cluster, namespace, two, three),
            11 => self.half_made(cluster, namespace, two, three),
            12 => {
                if let Some(volume) = self.some_volume(two) {
                    self.volumes[volume].attached = three % 3 == 0;
                    self.volumes[volume].attaching = three % 4 == 1;
                }
            }
            13 => self.protect(cluster, two, three),
            14 => self.rename_template(cluster, two, three),
            15 => self.second_pointer(cluster, namespace, two, three),
            _ => self.spare(cluster, two),
        }
    }

    fn delete_claim(&mut self, cluster: usize, two: u8, three: u8) {
        let claims = &self.clusters[cluster].claims;
        if claims.is_empty() {
            return;
        }
        let uid = claims[usize::from(two) % claims.len()].uid.clone();
        self.remove_claim(cluster, &uid, three.is_multiple_of(3));
    }

    fn delete_pv(&mut self, cluster: usize, two: u8) {
        let pvs = &mut self.clusters[cluster].pvs;
        if !pvs.is_empty() {
            pvs.remove(usize::from(two) % pvs.len());
        }
    }

    fn use_claim(&mut self, cluster: usize, two: u8, three: u8) {
        let claims = &self.clusters[cluster].claims;
        if claims.is_empty() {
            return;
        }
        let claim = &claims[usize::from(two) % claims.len()];
        let user = User {
            kind: three,
            namespace: claim.namespace,
            name: format!("user-{}", self.counter),
            claim: claim.name.clone(),
        };
        self.counter += 1;
        self.clusters[cluster].users.push(user);
    }

    /// A volume that no claim made, and perhaps a PersistentVolume and a claim for it.
    fn hand_made(&mut self, cluster: usize, namespace: &'static str, two: u8, three: u8) {
        let name = pick(&CLAIMS, two);
        let volume = self.make_volume(None, (namespace, name), Tagging::Trap(three));
        if two & 8 == 0 {
            return;
        }
        let taken = self.clusters[cluster]
            .claims
            .iter()
            .any(|claim| claim.namespace == namespace && claim.name == name);
        let uid = self.uid();
        let pv = Pv {
            name: format!("hand-{volume}"),
            uid: self.uid(),
            claim: (two & 16 == 0).then(|| (namespace, name.to_owned(), (two & 32 == 0).then(|| uid.clone()))),
            volume,
            form: three,
            retain: two & 64 == 0,
            created: self.now,
            released: 0,
        };
        if pv.claim.is_some() && two & 128 == 0 && !taken {
            self.clusters[cluster].claims.push(Claim {
                uid,
                namespace,
                name: name.to_owned(),
                made: Made::Hand,
                volume_name: Some(pv.name.clone()),
                protected: false,
                created: self.now,
            });
        }
        self.clusters[cluster].pvs.push(pv);
    }

    /// Killed between two calls: the volume is there and its PersistentVolume is not; the claim may be gone.
    fn half_made(&mut self, cluster: usize, namespace: &'static str, two: u8, three: u8) {
        let (set, template) = (pick(&SETS, two), pick(&TEMPLATES, two / 8));
        let name = format!("{template}-{set}-{}", three % 3);
        let by_moorline = three & 64 == 0;
        let tagging = if by_moorline {
            Tagging::Moorline
        } else {
            Tagging::CsiWithCluster
        };
        let made = if by_moorline {
            Made::Moorline(set.to_owned())
        } else {
            Made::Controller(set.to_owned())
        };
        let before = self.volumes.len();
        self.make_claim(cluster, (namespace, &name), made, (tagging, three));
        if self.volumes.len() == before {
            return;
        }
        self.clusters[cluster].pvs.pop();
        match three & 0x30 {
            0 => {
                self.clusters[cluster].claims.pop();
            }
            0x10 if !by_moorline => {
                if let Some(claim) = self.clusters[cluster].claims.last_mut() {
                    claim.volume_name = None;
                }
            }
            _ => {}
        }
    }

    fn protect(&mut self, cluster: usize, two: u8, three: u8) {
        if three & 1 == 0 {
            if let Some(volume) = self.some_volume(two) {
                self.volumes[volume].protected = three & 2 == 0;
            }
            return;
        }
        let claims = &mut self.clusters[cluster].claims;
        if !claims.is_empty() {
            let index = usize::from(two) % claims.len();
            claims[index].protected = three & 2 == 0;
        }
    }

    fn rename_template(&mut self, cluster: usize, two: u8, three: u8) {
        if let Some(index) = self.some_set(cluster, two) {
            self.clusters[cluster].sets[index].template = pick(&TEMPLATES, three);
        }
    }

    /// A static PersistentVolume in a cluster of the policy for a volume that there is, bound to somebody's claim or left.
    fn second_pointer(&mut self, cluster: usize, namespace: &'static str, two: u8, three: u8) {
        let Some(volume) = self.some_volume(two) else { return };
        if cluster == self.stranger {
            return;
        }
        let name = format!("second-{}", self.counter);
        let uid = self.uid();
        let pv = Pv {
            name: format!("static-{}", self.counter),
            uid: self.uid(),
            claim: Some((namespace, name.clone(), Some(uid.clone()))),
            volume,
            form: three,
            retain: three & 32 == 0,
            created: self.now,
            released: 0,
        };
        if three & 64 == 0 {
            self.clusters[cluster].claims.push(Claim {
                uid,
                namespace,
                name,
                made: Made::Hand,
                volume_name: Some(pv.name.clone()),
                protected: false,
                created: self.now,
            });
        }
        self.clusters[cluster].pvs.push(pv);
    }

    /// A volume made by a call that was sent twice.
    fn spare(&mut self, cluster: usize, two: u8) {
        let claims = &self.clusters[cluster].claims;
        let Some(claim) = claims.get(usize::from(two) % claims.len().max(1)) else {
            return;
        };
        let (namespace, name, uid) = (claim.namespace, claim.name.clone(), claim.uid.clone());
        if claim.made != Made::Hand {
            self.make_volume(Some((cluster, uid)), (namespace, &name), Tagging::Moorline);
        }
    }
}
