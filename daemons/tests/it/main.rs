//! The program as a whole: one test binary, one module a subject.

#[cfg(test)]
mod check;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod serving;
#[cfg(test)]
mod support;
