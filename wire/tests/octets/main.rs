//! Octets that lie in files: goldens that other programs judge, and seeds of the fuzzers.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod goldens;
#[cfg(test)]
mod store;
