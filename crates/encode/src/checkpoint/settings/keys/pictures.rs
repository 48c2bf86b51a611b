//! transformers' image processors: `preprocessor_config.json`, and the part `image_processor` of
//! `processor_config.json`.

use super::Rule::{Idle, Only, Read};
use super::Table;

/// An image processor.
pub(crate) const PROCESSOR: &Table = &[
    ("do_resize", Read),
    ("size", Read),
    ("resample", Read),
    ("do_center_crop", Read),
    ("crop_size", Read),
    ("do_rescale", Read),
    ("rescale_factor", Read),
    ("do_normalize", Read),
    ("image_mean", Read),
    ("image_std", Read),
    ("do_convert_rgb", Read),
    ("image_processor_type", Read),
    ("feature_extractor_type", Read),
    ("use_fast", Read),
    ("backend", Read),
    ("default_to_square", Idle("a size that is a number is the shortest edge, in all versions")),
    ("do_pad", Only(&[], "padding is not supported")),
    ("pad_size", Only(&[], "padding is not supported")),
    ("crop_pct", Only(&[], "give `size` and `crop_size` instead")),
    ("size_divisor", Only(&[], "only squares are supported")),
    ("offset", Only(&[], "pixels are normalised by `image_mean` and `image_std` alone")),
    ("use_square_size", Only(&[], "give `size` with height and width")),
    ("do_flip_channel_order", Only(&[], "pictures are RGB")),
    ("auto_map", Only(&[], "a processor that brings its own code is not supported")),
    ("processor_class", Idle("a record of the program")),
    ("_valid_processor_keys", Idle("a record of the program")),
    ("transformers_version", Idle("a record of the program")),
    ("name_or_path", Idle("a record of the program")),
    ("return_tensors", Idle("the form of the result")),
    ("data_format", Idle("the form of the result")),
    ("input_data_format", Idle("pictures come from files")),
    ("device", Idle("the same numbers elsewhere")),
    ("disable_grouping", Idle("the same numbers in other parts")),
    ("fill_color", Idle("only with padding")),
    ("image_seq_length", Idle("for models that write text")),
];
