//! The fuzz targets, fed with mutations of their seeds, and what Miri looks at.

#[cfg(test)]
mod archive; // payloads wherever they lie, and archives made to do harm
#[cfg(test)]
mod smoke; // each target over its seeds and some thousand mutations of them
