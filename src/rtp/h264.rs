//! H.264 in RTP (RFC 6184): what a payload begins, seen from its first bytes. Single NAL units, STAP-A and FU-A.

/// NAL unit types (ITU-T H.264 table 7-1; 24 and 28 are RFC 6184's).
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

fn kind(nal_header: u8) -> u8 {
    nal_header & 0x1f
}

/// The NAL units of a STAP-A payload; ends at the first length that points past the end.
fn aggregated(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (size, after) = rest.split_first_chunk::<2>()?;
        let (unit, next) = after.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
        rest = next;
        Some(unit)
    })
}

/// May a decoder start with this packet? True for the parameter sets in front of a key frame and for the first packet of
/// an IDR slice.
pub fn starts_key(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    match kind(*first) {
        IDR | SPS => true,
        STAP_A => aggregated(payload).filter_map(<[u8]>::first).any(|h| matches!(kind(*h), IDR | SPS)),
        FU_A => payload.get(1).is_some_and(|fu| fu & 0x80 != 0 && kind(*fu) == IDR),
        _ => false,
    }
}

/// Appends the NAL units of a payload as a decoder takes them, each behind a start code (ITU-T H.264 annex B). A fragment that
/// begins no unit goes on with the one before. Packets of other kinds (interleaved mode) are ignored.
pub fn depacketize(payload: &[u8], out: &mut Vec<u8>) {
    let Some((first, rest)) = payload.split_first() else { return };
    match kind(*first) {
        STAP_A => aggregated(payload).for_each(|unit| append(unit, out)),
        FU_A => {
            let Some((fu, fragment)) = rest.split_first() else { return };
            if fu & 0x80 != 0 {
                append(&[first & 0xe0 | kind(*fu)], out);
            }
            out.extend_from_slice(fragment);
        }
        1..STAP_A => append(payload, out),
        _ => {}
    }
}

fn append(unit: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(unit);
}

/// Is this packet part of an IDR slice, first fragment or not?
pub fn of_idr(payload: &[u8]) -> bool {
    let Some(first) = payload.first() else { return false };
    match kind(*first) {
        STAP_A => aggregated(payload).filter_map(<[u8]>::first).any(|h| kind(*h) == IDR),
        FU_A => payload.get(1).is_some_and(|fu| kind(*fu) == IDR),
        single => single == IDR,
    }
}

/// May this packet be left out without harm to any other frame (`nal_ref_idc` 0)?
pub fn discardable(payload: &[u8]) -> bool {
    payload.first().is_some_and(|first| first & 0x60 == 0)
}

/// The sequence parameter set in this payload, if there is a whole one.
pub fn sps(payload: &[u8]) -> Option<&[u8]> {
    let first = payload.first()?;
    match kind(*first) {
        SPS => Some(payload),
        STAP_A => aggregated(payload).find(|unit| unit.first().is_some_and(|h| kind(*h) == SPS)),
        _ => None,
    }
}

/// `profile-level-id` of an SPS: profile_idc, constraint flags, level_idc (RFC 6184 §8.1).
pub fn profile_level_id(sps: &[u8]) -> Option<u32> {
    match sps {
        [header, profile, constraints, level, ..] if kind(*header) == SPS => Some(u32::from_be_bytes([0, *profile, *constraints, *level])),
        _ => None,
    }
}

/// Do two `profile-level-id`s name the same profile (level aside)? The constraint flags tell constrained baseline from
/// baseline and constrained high from high.
pub fn same_profile(a: u32, b: u32) -> bool {
    family(a) == family(b)
}

/// profile_idc and those constraint bits that make another profile of it (RFC 6184 table 5).
fn family(profile_level_id: u32) -> (u8, u8) {
    let [_, profile, constraints, _] = profile_level_id.to_be_bytes();
    match profile {
        // set1 = constrained baseline, whatever profile_idc says
        0x42 if constraints & 0x40 != 0 => (0x42, 0x40),
        0x4d if constraints & 0x80 != 0 => (0x42, 0x40),
        0x64 => (0x64, constraints & 0x0c),
        _ => (profile, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPS_UNIT: [u8; 5] = [0x67, 0x42, 0xc0, 0x1f, 0x8c];

    fn stap(units: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0x78];
        for unit in units {
            out.extend_from_slice(&(unit.len() as u16).to_be_bytes());
            out.extend_from_slice(unit);
        }
        out
    }

    #[test]
    fn key_frames_are_seen_in_every_packetization() {
        for (payload, key) in [
            (vec![0x65, 0x88], true),
            (SPS_UNIT.to_vec(), true),
            (stap(&[&SPS_UNIT, &[0x68, 1]]), true),
            (stap(&[&[0x09, 0xf0], &[0x65, 1]]), true),
            (vec![0x7c, 0x85, 1], true),  // FU-A, first fragment of an IDR slice
            (vec![0x7c, 0x05, 1], false), // a later fragment of it
            (vec![0x7c, 0x81, 1], false), // first fragment of another slice
            (vec![0x41, 0x9a], false),
            (stap(&[&[0x68, 1], &[0x06, 1]]), false),
            (vec![0x78, 0x00, 0xff, 0x65], false), // length past the end
            (vec![0x7c], false),
            (vec![], false),
        ] {
            assert_eq!(starts_key(&payload), key, "{payload:02x?}");
        }
    }

    #[test]
    fn a_decoder_gets_whole_units_behind_start_codes() {
        let decoded = |payloads: &[&[u8]]| {
            let mut out = Vec::new();
            payloads.iter().for_each(|payload| depacketize(payload, &mut out));
            out
        };
        let sets = stap(&[&SPS_UNIT, &[0x68, 1]]);
        assert_eq!(decoded(&[&sets]), [&[0, 0, 0, 1][..], &SPS_UNIT, &[0, 0, 0, 1, 0x68, 1]].concat());
        assert_eq!(decoded(&[&[0x41, 9], &[0x06, 5]]), [0, 0, 0, 1, 0x41, 9, 0, 0, 0, 1, 0x06, 5]);
        assert_eq!(decoded(&[&[0x7c, 0x85, 1, 2], &[0x7c, 0x05, 3], &[0x7c, 0x45, 4]]), [0, 0, 0, 1, 0x65, 1, 2, 3, 4]);
        for nothing in [&[][..], &[0x7c], &[0x78], &[0x78, 0, 9, 1], &[0x60, 1], &[0x7f, 1], &[0x7d, 0x85, 1]] {
            assert!(decoded(&[nothing]).is_empty(), "{nothing:02x?}");
        }
    }

    #[test]
    fn every_fragment_of_an_idr_slice_is_part_of_it_and_an_sps_is_not() {
        for payload in [vec![0x65, 0x88], vec![0x7c, 0x85, 1], vec![0x7c, 0x05, 1], stap(&[&SPS_UNIT, &[0x65, 1]])] {
            assert!(of_idr(&payload), "{payload:02x?}");
        }
        for payload in [SPS_UNIT.to_vec(), vec![0x7c, 0x81, 1], vec![0x41], vec![0x7c], vec![]] {
            assert!(!of_idr(&payload), "{payload:02x?}");
        }
    }

    #[test]
    fn only_unreferenced_slices_are_discardable() {
        assert!(discardable(&[0x01, 0x9a]));
        assert!(!discardable(&[0x41, 0x9a]));
        assert!(!discardable(&[]));
    }

    #[test]
    fn the_profile_is_read_from_the_sps() {
        for payload in [SPS_UNIT.to_vec(), stap(&[&[0x09, 0xf0], &SPS_UNIT])] {
            assert_eq!(sps(&payload).and_then(profile_level_id), Some(0x42_c0_1f));
        }
        assert_eq!(sps(&[0x7c, 0x87, 1]), None);
        assert_eq!(profile_level_id(&[0x67, 0x42]), None);
        assert_eq!(profile_level_id(&[0x68, 1, 2, 3]), None);
    }

    #[test]
    fn levels_do_not_make_a_profile_but_constraints_do() {
        for (a, b, same) in [
            (0x42e01f, 0x42c028, true),
            (0x42e01f, 0x42001f, false),
            (0x42e01f, 0x4d8028, true),
            (0x4d001f, 0x4d4028, true),
            (0x64001f, 0x640028, true),
            (0x64001f, 0x640c1f, false),
            (0x64001f, 0x4d001f, false),
        ] {
            assert_eq!(same_profile(a, b), same, "{a:06x} {b:06x}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            starts_key(&bytes);
            discardable(&bytes);
            depacketize(&bytes, &mut Vec::new());
            sps(&bytes).and_then(profile_level_id);
        }
    }
}
