//! Lives in which something is behind: what reads tell, or a clock. They wait much and work little, and are begun before all others, which
//! is in the order of names.

mod clocks;
mod reads;
