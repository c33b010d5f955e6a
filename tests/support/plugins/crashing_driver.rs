//! A GStreamer plug-in that stands for a broken driver: it has a decoder by the name of a board's own, which takes the whole process
//! along as soon as it is given something. Built as an example, so that no test but the one that loads it knows of it.

use gstreamer::glib;
use gstreamer::prelude::*;
use gstreamer::subclass::prelude::*;

mod decoder {
    use super::{ElementImpl, GstObjectImpl, ObjectImpl, ObjectSubclass, ObjectSubclassExt, glib};
    use gstreamer::prelude::*;
    use gstreamer::subclass::ElementMetadata;
    use gstreamer::{Caps, Element, Pad, PadDirection, PadPresence, PadTemplate};
    use std::sync::LazyLock;

    /// Both pads are there and take anything.
    pub struct CrashingDecoder {
        sink: Pad,
        source: Pad,
    }

    fn template(name: &str, direction: PadDirection) -> PadTemplate {
        PadTemplate::new(name, direction, PadPresence::Always, &Caps::new_any()).expect("a template without conditions is valid")
    }

    #[glib::object_subclass]
    impl ObjectSubclass for CrashingDecoder {
        const NAME: &'static str = "ViductCrashingDecoder";
        type Type = super::CrashingDecoder;
        type ParentType = Element;

        fn with_class(class: &Self::Class) -> Self {
            let of = |name: &str| class.pad_template(name).expect("the class has it");
            let sink = Pad::builder_from_template(&of("sink")).chain_function(|_, _, _| std::process::abort()).build();
            CrashingDecoder { sink, source: Pad::from_template(&of("src")) }
        }
    }

    impl ObjectImpl for CrashingDecoder {
        fn constructed(&self) {
            use super::ObjectImplExt;
            self.parent_constructed();
            for pad in [&self.sink, &self.source] {
                self.obj().add_pad(pad).expect("a new element has room for its pads");
            }
        }
    }

    impl GstObjectImpl for CrashingDecoder {}

    impl ElementImpl for CrashingDecoder {
        fn metadata() -> Option<&'static ElementMetadata> {
            static METADATA: LazyLock<ElementMetadata> =
                LazyLock::new(|| ElementMetadata::new("Broken driver", "Codec/Decoder/Video", "Ends its process", "Viduct"));
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [PadTemplate] {
            static TEMPLATES: LazyLock<Vec<PadTemplate>> =
                LazyLock::new(|| vec![template("sink", PadDirection::Sink), template("src", PadDirection::Src)]);
            TEMPLATES.as_ref()
        }
    }
}

glib::wrapper! {
    /// See the words at the top.
    pub struct CrashingDecoder(ObjectSubclass<decoder::CrashingDecoder>) @extends gstreamer::Element, gstreamer::Object;
}

fn init(plugin: &gstreamer::Plugin) -> Result<(), glib::BoolError> {
    // the first in the table of decoders, wherever it is there
    gstreamer::Element::register(Some(plugin), "v4l2slh264dec", gstreamer::Rank::NONE, CrashingDecoder::static_type())
}

gstreamer::plugin_define!(
    crashing_driver,
    "A broken driver, for tests",
    init,
    env!("CARGO_PKG_VERSION"),
    "unknown",
    "viduct",
    "viduct",
    "https://localhost",
    "2026-01-01"
);
