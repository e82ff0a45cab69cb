//! Names of those who change something.

use std::fs;

use crate::{Changed, UtcTime};

impl Changed {
    /// By the user of this process. A served store overwrites it with what the kernel says.
    pub fn by_own_user(at: UtcTime) -> Self {
        Self { by: user_name(rustix::process::geteuid().as_raw()), at }
    }
}

/// What the user of that number is called; `uid 1000`, if nothing.
pub(crate) fn user_name(user: u32) -> String {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_in(&users, user).unwrap_or_else(|| format!("uid {user}"))
}

fn name_in(users: &str, user: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        let users = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("alice"));
        assert_eq!(name_in(users, 1001), None);
        assert_eq!(user_name(4_000_000_000), "uid 4000000000");
    }
}
