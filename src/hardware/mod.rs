//! What a board has to decode and encode with: tables of elements and the choice among them. Pure; whether an element is there,
//! the caller says, so the daemon may ask as well as a worker.
//!
//! The board's own silicon stands before software in each table. An element is chosen by its being there: the registries of
//! GStreamer list those of a driver only where its device is. That it also works is found out by using it: the transcoder goes on
//! in software when it reports an error, and one that takes its process along again and again is struck out by the daemon.
//!
//! **Not run:** none of the rows with `hardware: true` has been tried on its board. Their settings follow the sources and documents
//! of their plug-ins. Software rows are run by the tests.

pub mod decoders;
pub mod encoders;

pub use decoders::Decoder;
pub use encoders::Encoder;

/// Something that is made by an element of GStreamer.
pub trait Made {
    /// Elements that have to be there.
    fn elements(&self) -> &'static [&'static str];
    /// Is it done by something else than the processor's cores?
    fn hardware(&self) -> bool;
    /// The element that does the work, and gives the row its name.
    fn name(&self) -> &'static str {
        self.elements().first().copied().unwrap_or_default()
    }
}

/// An element of hardware by its name: the name as the tables have it, or `None` for any other text.
pub fn named(name: &str) -> Option<&'static str> {
    let decoders = decoders::all().filter(|row| row.hardware()).map(Made::name);
    let encoders = encoders::all().filter(|row| row.hardware()).map(Made::name);
    decoders.chain(encoders).find(|known| *known == name)
}

/// The first of `rows` whose elements are all there, or why there is none: the elements that would do. `hardware`: may it be such?
pub fn choose<'a, T: Made>(rows: impl Iterator<Item = &'a T>, hardware: bool, present: impl Fn(&str) -> bool) -> Result<&'a T, String> {
    let mut missing = Vec::new();
    for row in rows.filter(|row| hardware || !row.hardware()) {
        match row.elements().iter().find(|element| !present(element)) {
            None => return Ok(row),
            Some(element) => missing.push(*element),
        }
    }
    Err(missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Codec;

    #[test]
    fn the_boards_own_comes_first_and_only_when_it_is_there() {
        let table: [(&[&str], bool, Option<&str>); 6] = [
            (&["x264enc", "openh264enc", "h264parse"], true, Some("x264enc")),
            (&["x264enc", "v4l2h264enc", "h264parse"], true, Some("v4l2h264enc")),
            (&["x264enc", "v4l2h264enc"], true, Some("x264enc")),
            (&["x264enc", "v4l2h264enc", "h264parse"], false, Some("x264enc")),
            (&["openh264enc", "h264parse"], true, Some("openh264enc")),
            (&["vp8enc"], true, None),
        ];
        for (there, hardware, chosen) in table {
            let got = choose(encoders::of(Codec::H264), hardware, |element| there.contains(&element));
            assert_eq!(got.ok().map(|encoder| encoder.element), chosen, "{there:?} {hardware}");
        }
    }

    #[test]
    fn only_hardware_has_a_name_that_is_known() {
        for (name, known) in [("v4l2h264enc", true), ("mppvideodec", true), ("x264enc", false), ("h264parse", false), ("", false)] {
            assert_eq!(named(name), Some(name).filter(|_| known), "{name}");
        }
        assert!(encoders::all().all(|encoder| encoder.name() == encoder.element));
    }

    #[test]
    fn where_nothing_is_there_it_says_what_would_do() {
        assert_eq!(choose(encoders::of(Codec::Vp8), false, |_| false).unwrap_err(), "vp8enc");
        assert_eq!(choose(decoders::of(Codec::H264), false, |_| false).unwrap_err(), "avdec_h264, openh264dec");
        assert!(choose(encoders::of(Codec::Opus), true, |_| true).is_err());
    }
}
