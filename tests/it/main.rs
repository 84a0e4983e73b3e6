//! Integration tests, one binary.

// Always on here; it tells clippy that helpers are test code too.
#![cfg(test)]

mod accuracy;
mod alibaba;
mod alibaba_logs;
mod aliyun;
mod backtest;
mod builder;
mod case;
mod certificate;
mod cli;
mod cloud;
mod coarse;
mod damage;
mod describe;
mod digest;
#[cfg(feature = "s3")]
mod ec2;
mod findings;
mod floors;
mod flowlog;
mod formats;
mod forms;
mod golden;
mod html;
mod laws;
mod optimum;
mod oracle;
mod parquet_files;
mod plain;
mod ranks;
#[cfg(feature = "s3")]
mod s3;
mod sample;
mod sample_alibaba;
mod samples;
mod scripts;
mod source;
mod stage;
mod takeaway;
mod text_report;
mod threads;
mod tighten;
mod toy;
mod undirected;
mod verify;
mod why;
