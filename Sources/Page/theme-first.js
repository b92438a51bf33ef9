// The chosen theme before anything is drawn, so that nothing flashes. What can be chosen is in theme.js.
(() => {
    let kept = null;
    try {
        kept = localStorage.getItem('nilometer.theme');
    } catch {
        // Without storage the system's choice holds.
    }
    if (kept === 'light' || kept === 'dark') document.documentElement.dataset.theme = kept;
})();
