//! Strings, each kept once: a hundred thousand volumes name the same claims, classes and namespaces over and over.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// A string of one [`Names`]. The first is the empty one, which stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sym(u32);

impl Sym {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// `None` for the empty string.
    pub(crate) fn some(self) -> Option<Self> {
        (!self.is_none()).then_some(self)
    }
}

/// All strings of a world in one piece of memory.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    text: String,
    /// Where each string ends; it begins where the one before ends.
    ends: Vec<usize>,
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            text: String::new(),
            ends: vec![0],
            table: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

fn slice<'a>(text: &'a str, ends: &[usize], index: u32) -> &'a str {
    let index = index as usize;
    let start = index.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[index]]
}

impl Names {
    pub(crate) fn add(&mut self, text: &str) -> Sym {
        if let Some(found) = self.find(text) {
            return found;
        }
        let Ok(index) = u32::try_from(self.ends.len()) else {
            // Four thousand million different strings need more memory than any machine that runs this has.
            return Sym::NONE;
        };
        self.text.push_str(text);
        self.ends.push(self.text.len());
        let hash = self.hasher.hash_one(text);
        let (all, ends, hasher) = (&self.text, &self.ends, &self.hasher);
        self.table
            .insert_unique(hash, index, |index| hasher.hash_one(slice(all, ends, *index)));
        Sym(index)
    }

    /// The string's symbol where it is there already.
    pub(crate) fn find(&self, text: &str) -> Option<Sym> {
        if text.is_empty() {
            return Some(Sym::NONE);
        }
        let hash = self.hasher.hash_one(text);
        let same = |index: &u32| slice(&self.text, &self.ends, *index) == text;
        self.table.find(hash, same).copied().map(Sym)
    }

    pub(crate) fn get(&self, sym: Sym) -> &str {
        slice(&self.text, &self.ends, sym.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_one_and_come_back_as_they_were() {
        let mut names = Names::default();
        let words: Vec<String> = (0..1000).map(|n| format!("claim-{n}")).collect();
        let first: Vec<Sym> = words.iter().map(|word| names.add(word)).collect();
        let second: Vec<Sym> = words.iter().map(|word| names.add(word)).collect();
        assert_eq!(first, second);
        assert!(words.iter().zip(&first).all(|(word, sym)| names.get(*sym) == word));
        assert_eq!(names.add(""), Sym::NONE);
        assert_eq!(names.get(Sym::NONE), "");
        assert_eq!(names.find("claim-1000"), None);
    }
}
