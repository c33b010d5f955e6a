//! A synthetic RTSP camera. Its first line on stdout is its URL; it ends when stdin closes or on SIGTERM.

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
    server::serve(&options, |url| {
        println!("{url}");
        let _ = io::stdout().flush();
        std::thread::spawn(|| {
            let mut ignored = [0; 256];
            while matches!(io::stdin().read(&mut ignored), Ok(1..)) {}
            // nothing is worth an orderly end: material is written whole or not at all
            std::process::exit(0)
        });
    })
}
