//! Both encodings against plain registers.

use super::*;
use proptest::prelude::*;

const ROOMY: usize = 3_000;

fn registers(bytes: &[u8]) -> Result<Registers, Invalid> {
    let mut registers = [0; REGISTERS];
    merge(&mut registers, bytes).map(|()| registers)
}

/// Everything that can be asked, of bytes that may be anything.
fn ask_everything(mut bytes: Vec<u8>, sighting: Sighting) {
    let _ = (cached(&bytes), count(&bytes), registers(&bytes));
    let _ = (runs(&bytes).count(), would_change(&bytes, sighting));
    let _ = add(&mut bytes.clone(), sighting, ROOMY);
    set_cached(&mut bytes, 1);
    invalidate(&mut bytes);
    let _ = make_dense(&mut bytes);
}

#[test]
fn counts_are_close() {
    for (elements, bytes) in [(10, empty()), (1_000, empty()), (100_000, empty())] {
        let mut bytes = bytes;
        for element in 0..elements {
            let element = format!("element {element}");
            add(&mut bytes, Sighting::of(element.as_bytes()), ROOMY).expect("it is valid");
        }
        let error = (count(&bytes).expect("it is valid") - elements).abs() as f64;
        assert!(error <= 0.03 * elements as f64, "{elements}: {error}");
    }
}

#[test]
fn registers_that_nobody_sets_are_counted_somehow() {
    let mut bytes = empty();
    make_dense(&mut bytes).expect("it is valid");
    bytes[HEADER..].fill(0xff);
    assert_eq!(count(&bytes), Ok(i64::MIN));
    set_cached(&mut bytes, i64::MIN);
    assert_eq!(cached(&bytes), None);
}

proptest! {
    #[test]
    fn both_encodings_hold_the_same(
        elements in prop::collection::vec((0usize..400, 1u8..40), 0..300), most in 20usize..600,
    ) {
        let (mut sparse, mut dense, mut plain) = (empty(), empty(), [0; REGISTERS]);
        make_dense(&mut dense).expect("it is valid");
        for (index, count) in elements {
            // Neighbours, which can be joined, and some far away.
            let index = if index % 7 == 0 { index * 40 } else { index };
            let sighting = Sighting { index, count };
            let changes = count > plain[index];
            plain[index] = plain[index].max(count);
            prop_assert_eq!(would_change(&sparse, sighting), Ok(changes));
            prop_assert_eq!(add(&mut sparse, sighting, most), Ok(changes));
            prop_assert_eq!(add(&mut dense, sighting, most), Ok(changes));
            prop_assert_eq!(registers(&sparse), Ok(plain));
            prop_assert!(sparse.len() <= most || encoding(&sparse) == Ok(Encoding::Dense) || sparse.len() == 18);
        }
        prop_assert_eq!(registers(&dense), Ok(plain));
        prop_assert_eq!(count(&sparse), count(&dense));
        prop_assert_eq!(count(&sparse), Ok(estimate(&plain)));
    }

    #[test]
    fn hostile_bytes_do_no_harm(
        runs in prop::collection::vec(any::<u8>(), 0..200), code in 0u8..3, index in 0..REGISTERS, count in 1u8..=51,
    ) {
        let bytes = [&MAGIC[..], &[code], &[0x80; 11], &runs].concat();
        ask_everything(bytes, Sighting { index, count });
        ask_everything(runs, Sighting { index, count });
    }
}
