//! Which words are signs of harm?
//!
//! English only, and signs only: what is said in other words, in another language or in code is not found.

use super::FindingKind;
use super::phrases_table::{Phrase, phrase};

const HOW: &[&str] = &[
    "how",
    "instructions",
    "guide",
    "recipe",
    "steps",
    "tutorial",
    "teach",
    "explain",
];
const MAKE: &[&str] = &[
    "make",
    "making",
    "build",
    "building",
    "create",
    "synthesize",
    "synthesise",
    "cook",
    "assemble",
];

/// Harm to people.
pub(super) const HARM: &[Phrase] = &[
    phrase(
        FindingKind::SelfHarm,
        800,
        &[
            HOW,
            &["kill", "hurt", "harm", "hang", "cut"],
            &["myself", "yourself", "oneself"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        700,
        &[
            &["want", "going", "plan", "planning"],
            &["kill", "hurt", "end", "harm"],
            &["myself", "life"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        750,
        &[HOW, &["commit", "committing"], &["suicide"]],
    ),
    phrase(
        FindingKind::SelfHarm,
        700,
        &[
            &["painless", "easiest", "best"],
            &["way", "ways", "method", "methods"],
            &["die", "suicide"],
        ],
    ),
    phrase(
        FindingKind::SelfHarm,
        850,
        &[&["you"], &["should", "must"], &["kill"], &["yourself"]],
    ),
    phrase(
        FindingKind::Violence,
        750,
        &[
            HOW,
            &["kill", "murder", "poison", "stab", "strangle", "kidnap"],
            &[
                "someone", "somebody", "him", "her", "them", "people", "person", "wife", "husband",
            ],
        ],
    ),
    phrase(
        FindingKind::Violence,
        800,
        &[
            &["i'll", "will", "gonna", "going"],
            &["kill", "murder", "shoot", "stab"],
            &["you", "him", "her", "them", "everyone"],
        ],
    ),
    phrase(
        FindingKind::Violence,
        700,
        &[
            &["plan", "planning", "carry"],
            &["mass", "school", "terrorist"],
            &["shooting", "attack"],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        800,
        &[
            HOW,
            MAKE,
            &[
                "bomb",
                "bombs",
                "explosive",
                "explosives",
                "grenade",
                "molotov",
                "napalm",
                "detonator",
            ],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        800,
        &[
            HOW,
            MAKE,
            &["nerve", "mustard", "sarin", "chemical", "biological"],
            &["gas", "agent", "weapon", "weapons"],
        ],
    ),
    phrase(
        FindingKind::Weapons,
        700,
        &[
            HOW,
            MAKE,
            &["untraceable", "ghost", "printed"],
            &["gun", "rifle", "pistol", "firearm"],
        ],
    ),
    phrase(
        FindingKind::SexualMinors,
        900,
        &[
            &[
                "sexual",
                "sexually",
                "erotic",
                "nude",
                "naked",
                "porn",
                "pornographic",
            ],
            &[
                "child", "children", "minor", "minors", "underage", "toddler", "preteen",
            ],
        ],
    ),
    phrase(
        FindingKind::SexualMinors,
        900,
        &[
            &["child", "underage", "minor", "preteen"],
            &["porn", "pornography", "nude", "nudes", "erotica"],
        ],
    ),
    phrase(
        FindingKind::Drugs,
        750,
        &[
            HOW,
            MAKE,
            &[
                "meth",
                "methamphetamine",
                "crystal",
                "heroin",
                "fentanyl",
                "mdma",
                "lsd",
                "crack",
            ],
        ],
    ),
];
