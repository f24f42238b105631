//! A data directory in memory, to be damaged and written out again and again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files of a directory.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) files: Vec<ImageFile>,
}

/// One file: its bytes up to the last that is not zero, and its length (journals are preallocated).
#[derive(Clone)]
pub(super) struct ImageFile {
    pub(super) name: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) length: u64,
}

impl Image {
    pub(super) fn read(folder: &Path) -> Self {
        let mut files = Vec::new();
        read_into(folder, Path::new(""), &mut files);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Self { files }
    }

    pub(super) fn write(&self, folder: &Path) {
        for file in &self.files {
            let path = folder.join(&file.name);
            fs::create_dir_all(path.parent().expect("a file has a parent")).expect("a directory");
            let mut written = File::create(&path).expect("a file");
            written.write_all(&file.bytes).expect("its bytes");
            written.set_len(file.length).expect("its length");
        }
    }

    /// The files of the engine that hold data, by size.
    pub(super) fn data_files(&self) -> impl Iterator<Item = usize> {
        (0..self.files.len()).filter(|&n| {
            let name = &self.files[n].name;
            name.components().count() > 1
                && !name.ends_with("lock")
                && self.files[n].bytes.len() > 1
        })
    }

    /// The engine's file with the most data.
    pub(super) fn largest(&mut self) -> &mut ImageFile {
        let largest = self.data_files().max_by_key(|&n| self.files[n].bytes.len());
        &mut self.files[largest.expect("an engine has files")]
    }
}

fn read_into(root: &Path, below: &Path, files: &mut Vec<ImageFile>) {
    for entry in fs::read_dir(root.join(below)).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = below.join(entry.file_name());
        if entry.path().is_dir() {
            read_into(root, &name, files);
            continue;
        }
        let mut bytes = fs::read(entry.path()).expect("a file");
        let length = bytes.len() as u64;
        bytes.truncate(bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1));
        files.push(ImageFile { name, bytes, length });
    }
}
