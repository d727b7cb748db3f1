using k8s.Models;

namespace Cloud.Watching.Tests;

public sealed class ObjectCacheTests
{
    private static readonly ObjectKey Key = new("n", "a");

    private readonly ObjectCache<V1ConfigMap> _cache = new();

    [Fact]
    public void A_write_of_our_own_is_shown_until_the_stream_has_caught_up()
    {
        _cache.Set(Item("1"));
        using (var write = _cache.BeginWrite(Key))
        {
            write.Complete(Item("3"));
        }

        _cache.Set(Item("2"));
        Assert.Equal("3", Shown());
        _cache.Set(Item("3"));
        _cache.Set(Item("4"));
        Assert.Equal("4", Shown());
    }

    [Fact]
    public void A_stream_that_was_faster_than_the_answer_wins()
    {
        _cache.Set(Item("1"));
        using (var write = _cache.BeginWrite(Key))
        {
            _cache.Set(Item("3"));
            _cache.Set(Item("4"));
            write.Complete(Item("3"));
        }

        Assert.Equal("4", Shown());
        _cache.Set(Item("5"));
        Assert.Equal("5", Shown());
    }

    [Fact]
    public void A_write_that_changed_nothing_does_not_hold_the_stream_up()
    {
        _cache.Set(Item("2"));
        using (var write = _cache.BeginWrite(Key))
        {
            _cache.Set(Item("3"));
            write.Complete(Item("2"));
        }

        Assert.Equal("3", Shown());
        _cache.Set(Item("4"));
        Assert.Equal("4", Shown());
    }

    [Fact]
    public void The_removal_of_an_earlier_object_leaves_our_new_one()
    {
        _cache.Set(Item("1", "old"));
        using (var write = _cache.BeginWrite(Key))
        {
            write.Complete(Item("3", "new"));
        }

        _cache.Remove(Key, "old");
        Assert.Equal("3", Shown());
        _cache.Remove(Key, "new");
        Assert.Null(_cache.Find(Key));
    }

    [Fact]
    public void A_write_that_failed_leaves_no_trace()
    {
        _cache.Set(Item("1"));
        _cache.BeginWrite(Key).Dispose();
        _cache.Set(Item("2"));
        Assert.Equal("2", Shown());
    }

    [Fact]
    public void An_index_follows_every_change()
    {
        var index = _cache.AddIndex(c => [c.Metadata.Uid]);
        _cache.Set(Item("1", "x"));
        Assert.Single(index.Find("x"));
        _cache.Set(Item("2", "y"));
        Assert.Empty(index.Find("x"));
        Assert.Single(index.Find("y"));
        _cache.Replace([], []);
        Assert.Empty(index.Find("y"));
    }

    [Fact]
    public void A_new_list_announces_only_what_differs()
    {
        _cache.Set(Item("1"));
        var changes = new List<ObjectChange<V1ConfigMap>>();
        _cache.Changed += changes.Add;
        _cache.Replace([Item("1")], []);
        Assert.Empty(changes);
        _cache.Replace([Item("2")], []);
        Assert.Equal(("1", "2"), (Version(changes[0].Before), Version(changes[0].After)));
    }

    private string? Shown() => Version(_cache.Find(Key));

    private static string? Version(V1ConfigMap? item) => item?.Metadata.ResourceVersion;

    private static V1ConfigMap Item(string version, string uid = "u") => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Key.Name, NamespaceProperty = Key.Namespace, ResourceVersion = version, Uid = uid,
        },
    };
}
