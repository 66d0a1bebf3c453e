//! The built-in tables: text files, each with the prices of one cloud.

use std::collections::HashMap;
use std::sync::LazyLock;

use moorline_api::CloudName;

static AWS: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("tables/aws.txt")));
static AZURE: LazyLock<Table> = LazyLock::new(|| Table::read(include_str!("tables/azure.txt")));

/// The prices of a cloud.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Where they are from.
    pub(crate) source: &'static str,
    /// Of which day.
    pub(crate) dated: &'static str,
    /// By region and item.
    prices: HashMap<(&'static str, &'static str), f64>,
}

impl Table {
    pub(crate) fn of(cloud: CloudName) -> &'static Self {
        match cloud {
            CloudName::Aws => &AWS,
            CloudName::Azure => &AZURE,
        }
    }

    pub(crate) fn get(&self, region: &str, item: &str) -> Option<f64> {
        self.prices.get(&(region, item)).copied()
    }

    pub(crate) fn regions(&self) -> Vec<&'static str> {
        let mut regions: Vec<_> = self.prices.keys().map(|(region, _)| *region).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    /// Reads a table: comments after `#`, `source` and `dated` with the rest of their line, the regions of a block in brackets, and
    /// below them items, each followed by its price. That nothing else is in the tables is tested.
    fn read(text: &'static str) -> Self {
        let mut table = Self::default();
        let mut regions = Vec::new();
        for line in text
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
        {
            if let Some(source) = line.strip_prefix("source ") {
                table.source = source.trim();
            } else if let Some(dated) = line.strip_prefix("dated ") {
                table.dated = dated.trim();
            } else if let Some(block) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                regions = block.split_whitespace().collect();
            } else {
                table.add(&regions, line);
            }
        }
        table
    }

    fn add(&mut self, regions: &[&'static str], line: &'static str) {
        let mut words = line.split_whitespace();
        while let (Some(item), Some(price)) = (words.next(), words.next()) {
            let Ok(price) = price.parse() else { continue };
            self.prices
                .extend(regions.iter().map(|region| ((*region, item), price)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_tables_is_understood_and_no_price_is_given_twice() {
        for (cloud, text) in [
            (CloudName::Aws, include_str!("tables/aws.txt")),
            (CloudName::Azure, include_str!("tables/azure.txt")),
        ] {
            let table = Table::of(cloud);
            let known = crate::items(cloud);
            let mut count = 0;
            let mut regions = 0;
            for line in text.lines().map(|line| line.split('#').next().unwrap().trim()) {
                if line.starts_with("source ") || line.starts_with("dated ") {
                    continue;
                }
                if let Some(block) = line.strip_prefix('[') {
                    regions = block.strip_suffix(']').unwrap().split_whitespace().count();
                    continue;
                }
                let words: Vec<_> = line.split_whitespace().collect();
                assert!(words.len().is_multiple_of(2), "{cloud}: {line}");
                for pair in words.chunks(2) {
                    assert!(known.iter().any(|item| item == pair[0]), "{cloud}: {line}: {}", pair[0]);
                    let price: f64 = pair[1].parse().unwrap();
                    assert!(price.is_finite() && price > 0.0, "{cloud}: {line}");
                    count += regions;
                }
            }
            assert_eq!(table.prices.len(), count, "{cloud}: a price is given twice");
            assert!(!table.source.is_empty() && !table.dated.is_empty(), "{cloud}");
        }
    }
}
