//! What every command has at hand: the global flags, the network's place, the hub, the outputs.

use crate::{
    color::{Paint, When},
    hub::Hub,
    output::Output,
    progress::Sink,
};
use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use std::{path::PathBuf, time::Duration};
use windlass_node::api::ApiError;
use windlass_regtest::{
    hub::{self, client::HubClient},
    network::Network,
};

/// The flags that every command takes.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print JSON: the result on stdout, progress and errors as JSON lines on stderr
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// No progress and no hints, only results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// More of what happens (-vv for all of it)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Which network
    #[arg(
        long,
        global = true,
        env = "WINDLASS_NAME",
        hide_env_values = true,
        default_value = "default",
        value_parser = network_name,
        help_heading = "Global options"
    )]
    pub name: String,
    /// Where networks live [default: ~/.windlass]
    #[arg(
        long,
        global = true,
        env = "WINDLASS_DATADIR",
        hide_env_values = true,
        value_name = "DIR",
        help_heading = "Global options"
    )]
    pub datadir: Option<PathBuf>,
    /// Do not ask before something that can't be undone
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub yes: bool,
    /// Give up after so long (30s, 5m): exit code 5
    #[arg(
        long,
        global = true,
        env = "WINDLASS_TIMEOUT",
        hide_env_values = true,
        value_name = "DURATION",
        value_parser = crate::duration::parse,
        help_heading = "Global options"
    )]
    pub timeout: Option<Duration>,
    /// Return as soon as it is under way; do not mine, do not wait for the effect
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_wait: bool,
    /// Colour: auto, always or never
    #[arg(
        long,
        global = true,
        env = "WINDLASS_COLOR",
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub color: When,
}

/// A network's name is also its folder's.
fn network_name(text: &str) -> Result<String, String> {
    windlass_regtest::layout::check_name(text).map(|()| text.to_owned()).map_err(|e| e.to_string())
}

/// How long a verb may take where no `--timeout` is given.
pub const VERB_TIMEOUT: Duration = Duration::from_secs(300);

/// What a command works with.
#[derive(Debug)]
pub struct Context {
    /// The global flags as given.
    pub global: Global,
    /// Results.
    pub out: Output,
    /// Progress.
    pub sink: Sink,
}

impl Context {
    /// From the flags.
    pub fn new(global: Global) -> Self {
        let out = Output::new(global.json, global.quiet, Paint::stdout(global.color));
        let sink = Sink::new(global.json, global.quiet, global.color);
        Self { global, out, sink }
    }

    /// Where all networks of all chains live.
    ///
    /// # Errors
    /// There is neither `--datadir` nor a home.
    pub fn datadir(&self) -> Result<PathBuf, ApiError> {
        if let Some(dir) = &self.global.datadir {
            return std::path::absolute(dir).map_err(|e| ApiError::usage(format!("--datadir {}: {e}", dir.display())));
        }
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| {
            ApiError::usage("there is no home directory to keep networks in")
                .hint("say where", "windlass --datadir DIR up")
        })?;
        Ok(home.join(".windlass"))
    }

    /// `windlass`, with what it takes to mean this network.
    pub fn command(&self, rest: &str) -> String {
        let name = match self.global.name.as_str() {
            "default" => String::new(),
            name => format!("--name {name} "),
        };
        let datadir = match &self.global.datadir {
            Some(dir) if std::env::var_os("WINDLASS_DATADIR").is_none() => format!("--datadir {} ", dir.display()),
            _ => String::new(),
        };
        format!("windlass {datadir}{name}{rest}")
    }

    /// This network, running or not.
    ///
    /// # Errors
    /// As [`Context::datadir`].
    pub fn network(&self) -> Result<Network, ApiError> {
        Network::new(&self.datadir()?, &self.global.name).map_err(ApiError::usage)
    }

    /// This network's folder.
    ///
    /// # Errors
    /// As [`Context::datadir`].
    pub fn network_dir(&self) -> Result<PathBuf, ApiError> {
        Ok(self.network()?.layout().root().to_owned())
    }

    /// The running network's hub.
    ///
    /// # Errors
    /// It does not run: exit code 3.
    pub fn hub(&self) -> Result<Hub, ApiError> {
        let file = hub::is_alive(self.network()?.layout()).ok_or_else(|| self.not_running())?;
        Ok(Hub::new(HubClient::of(&file), self.global.timeout.unwrap_or(VERB_TIMEOUT), self.global.no_wait))
    }

    /// Asks the hub one verb.
    ///
    /// # Errors
    /// What the hub answers, or that it does not.
    pub async fn ask<B: Serialize, T: DeserializeOwned>(&self, verb: &str, body: &B) -> Result<T, ApiError> {
        let hub = self.hub()?;
        let answer = hub.call(verb, body, &self.sink).await;
        self.sink.finish();
        answer
    }

    fn not_running(&self) -> ApiError {
        let error = ApiError::not_running(format!("the network {:?} is not running", self.global.name))
            .hint("start it", self.command("up"));
        match self.others() {
            others if others.is_empty() => error,
            others => error.hint("or name another one", format!("windlass --name {} status", others.join("|"))),
        }
    }

    /// Networks here that have a hub file, this one left out.
    fn others(&self) -> Vec<String> {
        let Ok(dir) = self.datadir() else { return Vec::new() };
        let Ok(entries) = std::fs::read_dir(dir.join("regtest")) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .flatten()
            .filter(|entry| entry.path().join("hub.json").exists())
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| *name != self.global.name)
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_folder() {
        for bad in ["", ".", "..", "a/b", "../x", "-x", "a b"] {
            assert!(network_name(bad).is_err(), "{bad}");
        }
        for good in ["default", "other", "ci-7"] {
            assert_eq!(network_name(good).as_deref(), Ok(good));
        }
    }
}
