use super::*;

/// Building blocks of names: everything that has a rule, and a few plain letters.
const PIECES: &[&[u8]] = &[
    b"a",
    b"A",
    b"b",
    b"~",
    b"~2",
    b"%",
    b"%0A",
    b"%0a",
    b"%250A",
    b"\n",
    b"\t",
    b"\\",
    b"\x7f",
    b"\x01",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"C:",
    b"con",
    b"..x",
    b"x.",
    b" ",
    b"/q",
    "ß".as_bytes(),
    b"SS",
    "ſ".as_bytes(),
    b"s",
    "\u{85}".as_bytes(),
    "\u{202e}".as_bytes(),
    "Σ".as_bytes(),
    "ς".as_bytes(),
    "🔑".as_bytes(),
    b"~deadbeef",
];
const LIMITS: Limits = Limits { entry_name_bytes: 60, ..Limits::V1 };

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn path(&mut self) -> TruePath {
        // Most are short and therefore collide often; some exceed the limit.
        let pieces = if self.below(4) == 0 { 15 + self.below(40) } else { 1 + self.below(3) };
        let path = (0..pieces).flat_map(|_| PIECES[self.below(PIECES.len())]).copied();
        let path: Vec<u8> = std::iter::once(b'p').chain(path).collect();
        TruePath::new(path).unwrap()
    }
}

fn names(paths: &[TruePath], limits: &Limits) -> Vec<String> {
    let (mut names, mut taken) = (FilePaths::default(), HashSet::new());
    let mut named = |path| {
        let name = names.name("set", path, limits, &taken);
        assert!(taken.insert(fold_case(&name)), "{name:?} is taken");
        name
    };
    paths.iter().map(&mut named).collect()
}

fn named(paths: &[&[u8]]) -> Vec<String> {
    let paths: Vec<_> = paths.iter().map(|path| TruePath::new(path.to_vec()).unwrap()).collect();
    let names = names(&paths, &Limits::V1);
    names.iter().map(|name| name.strip_prefix("files/set/").unwrap().to_owned()).collect()
}

#[test]
fn any_paths_get_names_that_are_allowed_unique_and_the_same_each_time() {
    for limits in [LIMITS, Limits::V1] {
        for seed in 0..40 {
            let mut random = Random(seed);
            let mut paths: Vec<_> = (0..400).map(|_| random.path()).collect();
            let mut seen = HashSet::new();
            paths.retain(|path| seen.insert(path.clone()));
            let names = names(&paths, &limits);
            assert_eq!(names, self::names(&paths, &limits));
            for name in &names {
                check_name(name, &limits).unwrap();
                assert!(name.starts_with("files/set/p"), "{name}");
            }
        }
    }
}

#[test]
fn what_is_allowed_stays_as_it_is() {
    let kept: [&[u8]; 8] =
        [b"C:", b"a%0A", b"100%", b"con/nul.txt", b"..x/x.", b" a ", "\u{202e}x".as_bytes(), b"a~2"];
    for path in kept {
        assert_eq!(named(&[path])[0].as_bytes(), path);
    }
}

#[test]
fn the_examples_of_the_specification() {
    let long = [&b"d/".repeat(600)[..], b"x"].concat();
    assert_eq!(named(&[b"a\nb"]), ["a%0Ab"]);
    assert_eq!(named(&[b"50%\\x"]), ["50%25%5Cx"]);
    assert_eq!(named(&[b"\xff", "\u{85}".as_bytes()]), ["%FF", "%C2%85"]);
    assert_eq!(named(&[b"A", b"a", b"a~2"]), ["A", "a~2", "a~2~2"]);
    assert_eq!(named(&[b"a%0A", b"a\n"]), ["a%0A", "a%0A~2"]);
    assert_eq!(named(&[b"a\n", b"a%0A"]), ["a%0A", "a%0A~2"]);
    let short = &named(&[&long])[0];
    assert_eq!((short.len(), &short[996..]), (1006, "d~060025fe"));
}

#[test]
fn as_many_as_an_archive_holds_may_meet() {
    let case = |number: u32, at: u32| if number >> at & 1 == 0 { b'a' } else { b'A' };
    let path = |number| TruePath::new((0..17).map(|at| case(number, at)).collect()).unwrap();
    let paths: Vec<_> = (0..100_000).map(path).collect();
    let names = names(&paths, &Limits::V1);
    assert_eq!(
        names[99_999],
        format!("files/set/{}~100000", str::from_utf8(paths[99_999].as_bytes()).unwrap())
    );
}

#[test]
fn names_near_the_limit_leave_room_for_their_number() {
    for length in 30..60 {
        let path = |upper: usize| [b"X".repeat(upper), b"x".repeat(length - upper)].concat();
        let paths: Vec<_> = (0..20).map(|upper| TruePath::new(path(upper)).unwrap()).collect();
        for name in names(&paths, &LIMITS) {
            check_name(&name, &LIMITS).unwrap();
        }
    }
}
