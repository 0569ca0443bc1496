//! The `oxidis` program: arguments, start, exit code.

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut text = String::new();
    for pair in args.chunks(2) {
        text += &format!(
            "{} {}\n",
            pair[0].trim_start_matches('-'),
            if pair[1].is_empty() { "\"\"" } else { &pair[1] }
        );
    }
    let sources = oxidis::config::Sources {
        command_line: text.into_bytes(),
        ..Default::default()
    };
    let config = oxidis::config::Config::load(&sources).unwrap();
    std::process::exit(oxidis::server::run(config).unwrap());
}
