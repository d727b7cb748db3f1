namespace Cloud.Simulator.Applications;

/// <summary>Which program an image stands for.</summary>
internal sealed class ContainerPrograms(
    TimeProvider clock, IReadOnlyDictionary<string, IContainerProgram> byRepository)
{
    private readonly PlainContainer _plain = new(clock);

    public IContainerProgram For(string image) =>
        byRepository.GetValueOrDefault(ImageReference.Parse(image).Repository, _plain);
}
