//! Browsers that publish, and who watches them.
