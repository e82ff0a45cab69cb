//! What the engine counts, and where each count is shown.

/// Declares the counters with the object identifiers of their objects, without
/// the `.0` of the instance.
macro_rules! counters {
    (
        $($name:ident = [$($oid:literal),+];)*
        ---
        $($(#[$doc:meta])* $unshown:ident;)*
    ) => {
        /// The counters of the engine; they wrap.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Counters {
            $(pub $name: u32,)*
            $($(#[$doc])* pub $unshown: u32,)*
        }

        /// How to read one of [`Counters`].
        pub(crate) type ReadCounter = fn(&Counters) -> u32;

        impl Counters {
            /// Every counter with the root of its object.
            pub(crate) const OBJECTS: &[(&'static [u32], ReadCounter)] = &[
                $((&[1, 3, 6, 1, $($oid),+], |counters| counters.$name),)*
            ];
        }
    };
}

counters! {
    // SNMPv2-MIB `snmp` (RFC 3418). Those that RFC 3418 calls obsolete are counted
    // too: the graphs of many management systems are made of them.
    in_pkts = [2, 1, 11, 1];
    out_pkts = [2, 1, 11, 2];
    in_bad_versions = [2, 1, 11, 3];
    in_bad_community_names = [2, 1, 11, 4];
    in_bad_community_uses = [2, 1, 11, 5];
    in_asn_parse_errs = [2, 1, 11, 6];
    in_too_bigs = [2, 1, 11, 8];
    in_no_such_names = [2, 1, 11, 9];
    in_bad_values = [2, 1, 11, 10];
    in_read_onlys = [2, 1, 11, 11];
    in_gen_errs = [2, 1, 11, 12];
    in_total_req_vars = [2, 1, 11, 13];
    in_total_set_vars = [2, 1, 11, 14];
    in_get_requests = [2, 1, 11, 15];
    in_get_nexts = [2, 1, 11, 16];
    in_set_requests = [2, 1, 11, 17];
    in_get_responses = [2, 1, 11, 18];
    in_traps = [2, 1, 11, 19];
    out_too_bigs = [2, 1, 11, 20];
    out_no_such_names = [2, 1, 11, 21];
    out_bad_values = [2, 1, 11, 22];
    out_gen_errs = [2, 1, 11, 24];
    out_get_requests = [2, 1, 11, 25];
    out_get_nexts = [2, 1, 11, 26];
    out_set_requests = [2, 1, 11, 27];
    out_get_responses = [2, 1, 11, 28];
    out_traps = [2, 1, 11, 29];
    silent_drops = [2, 1, 11, 31];
    proxy_drops = [2, 1, 11, 32];
    // SNMP-MPD-MIB (RFC 3412 §5).
    unknown_security_models = [6, 3, 11, 2, 1, 1];
    invalid_msgs = [6, 3, 11, 2, 1, 2];
    unknown_pdu_handlers = [6, 3, 11, 2, 1, 3];
    // SNMP-TARGET-MIB (RFC 3413 §4.1), where the contexts are counted.
    unavailable_contexts = [6, 3, 12, 1, 4];
    unknown_contexts = [6, 3, 12, 1, 5];
    // SNMP-USER-BASED-SM-MIB (RFC 3414 §5).
    usm_unsupported_sec_levels = [6, 3, 15, 1, 1, 1];
    usm_not_in_time_windows = [6, 3, 15, 1, 1, 2];
    usm_unknown_user_names = [6, 3, 15, 1, 1, 3];
    usm_unknown_engine_ids = [6, 3, 15, 1, 1, 4];
    usm_wrong_digests = [6, 3, 15, 1, 1, 5];
    usm_decryption_errors = [6, 3, 15, 1, 1, 6];
    ---
    /// Requests that the system dropped because a receive buffer was full.
    datagrams_dropped;
    /// Notifications that were too many of their kind.
    notifications_limited;
    /// Informs that were not sent because too many wait for their acknowledgement.
    notifications_dropped;
    informs_acknowledged;
    /// Answers of other engines that were too old.
    answers_not_in_time;
    /// Informs that nobody acknowledged in time.
    informs_failed;
}

impl Counters {
    /// How many messages were not properly authenticated (`authenticationFailure`, RFC 3418).
    pub(crate) fn authentication_failures(&self) -> u32 {
        self.in_bad_community_names
            .wrapping_add(self.usm_wrong_digests)
            .wrapping_add(self.usm_unknown_user_names)
    }
}

/// Adds one; counters wrap (RFC 2578 §7.1.6).
pub(crate) fn count(counter: &mut u32) {
    add(counter, 1);
}

/// Adds a number of things.
pub(crate) fn add(counter: &mut u32, things: usize) {
    *counter = counter.wrapping_add(u32::try_from(things).unwrap_or(u32::MAX));
}
