/** About 100 bytes, once it is a frame: `{"event":"message","data":{…}}`. No two in a row are alike. */
export const payload = (id) => ({ id, user: `user-${id % 97}`, text: 'to be or not to be, that is it', ok: true })
