namespace Cloud.Simulator.Controllers;

/// <summary>Which work goes first: a burst of pods is worked off before its owners look at the sum once.</summary>
internal enum Lane
{
    Pods,
    Owners,
    Summaries,
}

/// <summary>
/// One controller of a cluster: hears every change, asks for work by key, and brings a key's object in line with the
/// world when its turn comes. All calls come from the cluster's one loop; none may block.
/// </summary>
internal interface IController
{
    Lane Lane { get; }

    /// <summary>
    /// Hears of a change and queues the keys that it concerns; called for every resource, so filter first.
    /// </summary>
    void Observe(Change change);

    /// <summary>
    /// Brings one object in line. Must be repeatable: it is called again after an error, a restart or a coalesced
    /// burst of changes. A throw is logged and the key tried again later.
    /// </summary>
    void Reconcile(ObjectKey key);
}
