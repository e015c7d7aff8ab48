//! The fuzz targets, fed with mutations of their seeds.

#[cfg(test)]
mod smoke; // each target over its seeds and some thousand mutations of them
