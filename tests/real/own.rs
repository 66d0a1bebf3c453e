//! Control planes and clouds that are not shared with other tests: one may kill their parts, or begin with nothing in them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use moorline_parts::{Component, ControlPlane, Emulator};
use tempfile::TempDir;

use crate::stage::{Stage, parts};

/// A control plane and a cloud that may be killed.
pub struct Own {
    /// The one.
    pub plane: ControlPlane,
    /// The other: moto.
    pub cloud: Emulator,
    _folder: TempDir,
}

/// Two of them, so that two tests can wait at once and no more memory is used than that.
static OWN: [Mutex<Option<Own>>; 2] = [const { Mutex::new(None) }; 2];

/// One of the two, with all its parts running.
pub struct Turn(MutexGuard<'static, Option<Own>>);

impl Turn {
    /// Waits until nobody else uses it.
    pub fn of(which: usize) -> Self {
        let mut own = OWN[which].lock().unwrap_or_else(PoisonError::into_inner);
        if own.is_none() {
            let folder = tempfile::tempdir().unwrap();
            let programs = parts().programs;
            let plane = ControlPlane::start(&programs, &folder.path().join("cluster"));
            let cloud = Emulator::moto(&programs, &folder.path().join("cloud"));
            *own = Some(Own {
                plane: plane.unwrap_or_else(|error| panic!("{error}")),
                cloud: cloud.unwrap_or_else(|error| panic!("{error}")),
                _folder: folder,
            });
        }
        let mut turn = Self(own);
        for component in Component::ALL {
            if !turn.own().plane.runs(component) {
                turn.restart(component);
            }
        }
        if !turn.own().cloud.runs() {
            turn.own().cloud.restart().unwrap();
        }
        turn
    }

    /// Its parts.
    pub fn own(&mut self) -> &mut Own {
        self.0.as_mut().unwrap()
    }

    /// A stage there.
    pub fn stage(&mut self) -> Stage {
        let own = self.own();
        Stage::new(&parts(), own.plane.kubeconfig(), own.cloud.url())
    }

    /// Kills a component of the control plane.
    pub fn kill(&mut self, component: Component) {
        self.own().plane.kill(component).unwrap();
    }

    /// Starts it again, and waits until the API server answers.
    pub fn restart(&mut self, component: Component) {
        let restarted = self.own().plane.restart(component);
        restarted.unwrap_or_else(|error| panic!("{error}"));
        // The API server needs a moment to find its etcd again.
        let own = self.own();
        Stage::eventually("the API server is ready", || {
            own.plane.kubectl(&["get", "--raw", "/readyz"]).is_ok()
        });
    }
}
