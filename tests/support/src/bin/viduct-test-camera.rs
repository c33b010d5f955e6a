//! A synthetic RTSP camera. Its first line on stdout is its URL; it ends when stdin closes or on SIGTERM.

use gstreamer::glib::MainLoop;
use std::error::Error;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use viduct_testkit::camera::{Options, server};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("viduct-test-camera: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    gstreamer::init()?;
    let main_loop = MainLoop::new(None, false);
    server::serve(&options, &main_loop, |url| {
        println!("{url}");
        let _ = io::stdout().flush();
        let ender = main_loop.clone();
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            while matches!(io::stdin().read(&mut ignored), Ok(1..)) {}
            ender.quit();
        });
    })
}
