//! The whole boundary to JavaScript: at most 16 exports, numbers only, one input and one output buffer.

use wasm_bindgen::prelude::wasm_bindgen;

/// Version of this boundary; the host refuses another one.
#[wasm_bindgen]
pub fn abi_version() -> u32 {
    1
}
